import { Fault } from "../base/fault.ts";
import { reportOf, type DrillDocument } from "../drill/document.ts";
import { drawMove } from "../drill/draw-move.ts";
import { terminalSettings, type DrawSettings } from "../drill/draw.ts";
import { PROTOCOLS, type Protocol } from "../drill/names.ts";
import { renderRun, renderSummary } from "../drill/render.ts";
import type { Measured } from "../drill/measure.ts";
import type { ProbeLog } from "../drill/samples.ts";
import type { DrillResult, DrillSettings, Scenario } from "../drill/scenario.ts";
import { findScenario, SCENARIOS } from "../drill/scenarios.ts";
import { measureThroughput, ROUNDS_MIN, type ThroughputDocument } from "../drill/throughput.ts";
import type { CliCommand, Invocation, Io } from "./command.ts";
import { withDrillLab, type DrillLab } from "./drill-lab.ts";
import { targetNamed } from "./drill-mover.ts";
import { DRILL_OPTIONS, readChoice, type DrillChoice } from "./drill-options.ts";
import type { FindCommand } from "./run-quietly.ts";

/** Not a fault but a comparison, with a document of its own; listed with the scenarios because it runs like one. */
const THROUGHPUT = {
  name: "throughput",
  summary: "fio and a storm of small files through the fileserver, against a plain kernel NFS server beside it",
};

export function drillCommand(findCommand: FindCommand): CliCommand {
  return {
    words: ["drill"],
    summary: "inject a fault, measure from the client, judge",
    details:
      "Brings a lab up when none runs that serves, and takes it down afterwards.\n" +
      "pauseMs is the longest gap between two successes of a probe, less its normal interval, measured on the client.",
    arguments: [{ name: "scenario", help: "one of --list", optional: true }],
    options: DRILL_OPTIONS,
    run: (invocation) => runDrill(findCommand, invocation),
  };
}

async function runDrill(findCommand: FindCommand, { args, options, io }: Invocation): Promise<number> {
  if (options["list"] === true) return listScenarios(io);
  const name = args[0];
  if (name === undefined) {
    throw new Fault({
      kind: "invalid",
      code: "scenario-missing",
      what: "which drill?",
      remedy: "name a scenario of `holdfast drill --list`",
    });
  }
  const scenario = name === THROUGHPUT.name ? undefined : findScenario(name);
  const choice = readChoice(options);
  if (choice.inject !== undefined && scenario?.injects !== true) throw cannotInject(name);
  const clients = Math.max(scenario?.clients ?? 1, choice.clients?.length ?? 1);
  const lab = { name: choice.lab, keep: options["keep"] === true, wipe: true, clients };
  return withDrillLab(
    findCommand,
    lab,
    (line) => io.progress(line),
    async (site) => {
      if (scenario === undefined) return tellThroughput(io, await runThroughput(site, choice));
      const results = await runScenario(site, scenario, choice);
      return tellResults(io, results, choice);
    },
  );
}

function cannotInject(name: string): Fault {
  const able = SCENARIOS.flatMap((scenario) => (scenario.injects === true ? [scenario.name] : []));
  return new Fault({
    kind: "invalid",
    code: "option-invalid",
    what: `${name} causes no losses`,
    remedy: `--inject is for ${able.join(", ")}`,
  });
}

function listScenarios(io: Io): number {
  const all = [...SCENARIOS, THROUGHPUT].map(({ name, summary }) => ({ name, summary }));
  const width = Math.max(...all.map(({ name }) => name.length));
  for (const { name, summary } of all) io.say(`${name.padEnd(width)}  ${summary}`);
  io.document(all);
  return 0;
}

/** The protocol that a drill of one protocol uses unless it is told another. */
const PROTOCOLS_UNLESS_SAID: readonly Protocol[] = ["v4.2"];

/** One protocol after the other, unless the scenario is about all at once: their clients must not share the machine while they are timed. */
export async function runScenario(
  site: DrillLab,
  scenario: Scenario,
  choice: Omit<DrillChoice, "lab">,
): Promise<readonly DrillResult[]> {
  const together = scenario.protocolsTogether === true;
  const protocols = choice.protocols ?? (together ? PROTOCOLS : PROTOCOLS_UNLESS_SAID);
  const results: DrillResult[] = [];
  for (const some of together ? [protocols] : protocols.map((one) => [one])) {
    results.push(await scenario.run(site.world, drillSettings(site, scenario, choice, some)));
  }
  return results;
}

function drillSettings(
  site: DrillLab,
  scenario: Scenario,
  choice: Omit<DrillChoice, "lab">,
  protocols: readonly Protocol[],
): DrillSettings {
  const fileserver = targetNamed(site.fileservers, choice.fileserver);
  const [first, second] = site.nodes;
  const [protocol] = protocols;
  if (first === undefined || second === undefined || protocol === undefined) {
    throw new Fault({ kind: "invalid", code: "too-few-nodes", what: "a move needs two nodes" });
  }
  const { client, inject } = choice;
  return {
    fileserver,
    others: site.fileservers.filter((one) => one !== fileserver),
    nodes: [first, second],
    client,
    clients: choice.clients ?? [client, ...site.clients.filter((one) => one !== client)],
    protocol,
    protocols,
    family: choice.family,
    // A self-test shows what it has to in its first run.
    runs: choice.runs ?? (inject === undefined ? scenario.runsUnlessSaid : undefined) ?? 1,
    seed: choice.seed,
    treeFiles: choice.treeFiles,
    ...(inject === undefined ? {} : { inject }),
    ...(choice.steps === undefined ? {} : { steps: choice.steps }),
  };
}

function tellResults(io: Io, results: readonly DrillResult[], choice: DrillChoice): number {
  const report = reportOf(results.flatMap((result) => result.documents));
  const settings = terminalSettings(process.stdout.columns, process.env);
  for (const line of results.flatMap((result) => resultLines(result, settings))) io.say(line);
  const [only, second] = report.runs;
  if (choice.runs === undefined && only !== undefined && second === undefined) {
    io.document(only);
  } else {
    io.document(report);
    io.say("");
    for (const line of renderSummary(report)) io.say(line);
  }
  return report.verdict === "pass" ? 0 : 1;
}

/** Up to this many runs are drawn one by one; of more, only their lines are shown. */
const DRAWN_RUNS_MAX = 2;

export function resultLines({ documents, measured }: DrillResult, settings: DrawSettings): readonly string[] {
  const drawn = measured.runs.length <= DRAWN_RUNS_MAX;
  return documents.flatMap((document: DrillDocument, at) => {
    const run = measured.runs[at];
    const lines = ["", ...renderRun(document)];
    if (!drawn || run === undefined) return lines;
    const picture = { ...run, fileserver: document.fileserver, logs: drawnLogs(measured) };
    return [...lines, "", ...drawMove(picture, settings).split("\n")];
  });
}

/** Named as the picture names its rows; of several protocols and clients those of the first client's newest. */
function drawnLogs({ loops, logs, clients }: Measured): ReadonlyMap<string, ProbeLog> {
  const own = [...loops.values()].filter(({ machine }) => machine === clients[0]);
  return new Map(
    own.flatMap(({ fileserver, kind, name }) => {
      const log = logs.get(name);
      return log === undefined ? [] : [[`${fileserver}-${kind}`, log] as const];
    }),
  );
}

async function runThroughput(site: DrillLab, choice: DrillChoice): Promise<ThroughputDocument> {
  const target = targetNamed(site.fileservers, choice.fileserver);
  const node = await site.world.mover.serving(target.name);
  const nodeAddress = site.spec.cluster.nodes.find((one) => one.name === node)?.addresses[0] ?? node;
  const threads = site.spec.fileservers.find((one) => one.name === target.name)?.nfs.threads ?? 16;
  const rounds = Math.max(ROUNDS_MIN, choice.runs ?? ROUNDS_MIN);
  const settings = { client: choice.client, node, nodeAddress, target, threads, rounds };
  return measureThroughput(site.world.machines, settings, site.world.progress);
}

function tellThroughput(io: Io, document: ThroughputDocument): number {
  io.say("job                  fileserver      plain   ratio");
  for (const job of document.jobs) {
    const [fileserver, plain] = [job.fileserver, job.plain].map((value) => value.toFixed(1).padStart(10));
    io.say(`${job.job.padEnd(20)} ${fileserver} ${plain}   ${job.ratio.toFixed(3)}  ${job.unit}`);
  }
  io.say(`overall ratio ${document.ratio.toFixed(3)} over ${document.rounds} rounds, on ${document.node}`);
  io.document(document);
  return 0;
}
