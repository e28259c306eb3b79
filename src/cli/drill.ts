import { join } from "node:path";
import { Fault } from "../base/fault.ts";
import { reportOf, type DrillDocument } from "../drill/document.ts";
import { runCampaign, type CampaignReport } from "../drill/faults/campaign.ts";
import { describeStep, type FaultDocument } from "../drill/faults/fault-words.ts";
import { drawMove } from "../drill/draw-move.ts";
import { terminalSettings, type DrawSettings } from "../drill/draw.ts";
import { PROTOCOLS, type Protocol } from "../drill/names.ts";
import { renderRun, renderSummary } from "../drill/render.ts";
import type { Measured } from "../drill/measure.ts";
import type { ProbeLog } from "../drill/samples.ts";
import type { DrillResult, DrillSettings, Scenario, ScenarioGroup } from "../drill/scenario.ts";
import { findScenario, SCENARIOS } from "../drill/scenarios.ts";
import { measureThroughput, ROUNDS_MIN, type ThroughputDocument } from "../drill/throughput.ts";
import type { CliCommand, Invocation, Io } from "./command.ts";
import { compareSystems, readCompare } from "./drill-compare.ts";
import { withDrillLab, type DrillLab } from "./drill-lab.ts";
import { targetNamed } from "./drill-mover.ts";
import { DRILL_OPTIONS, readChoice, type DrillChoice } from "./drill-options.ts";
import type { FindCommand } from "./run-quietly.ts";

/** Not one fault but many, with a document of its own. */
const CAMPAIGN = {
  name: "campaign",
  group: "checks",
  summary: "faults of every kind, drawn from --seed, for --minutes, with every oracle; stops at the first violation",
} as const;

/** Several systems in turns, each in a lab of its own. */
const COMPARE = {
  name: "compare",
  group: "checks",
  summary: "the same drills on the stock cluster, the tuned one and Holdfast, in turns, with a report (--out)",
} as const;

/** Not a fault but a comparison, with a document of its own; listed with the scenarios because it runs like one. */
const THROUGHPUT = {
  name: "throughput",
  group: "checks",
  summary: "fio and a storm of small files through the fileserver, against a plain kernel NFS server beside it",
} as const;

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
  if (name === COMPARE.name) {
    const choice = readChoice(options);
    return compareSystems({ findCommand, runScenario, choice, ...readCompare({ options }, choice) }, io);
  }
  const isOther = name === THROUGHPUT.name || name === CAMPAIGN.name;
  const scenario = isOther ? undefined : withLoad(findScenario(name), options);
  const choice = readChoice(options);
  if (choice.inject !== undefined && scenario?.injects !== true) throw cannotInject(name);
  const needed = name === CAMPAIGN.name && choice.load !== "probes" ? 2 : (scenario?.clients ?? 1);
  const clients = Math.max(needed, choice.clients?.length ?? 1);
  const needsEngine = name === CAMPAIGN.name || scenario?.needsEngine === true;
  const lab = { name: choice.lab, keep: options["keep"] === true, wipe: true, clients, needsEngine };
  return withDrillLab(
    findCommand,
    lab,
    (line) => io.progress(line),
    async (site) => {
      if (name === CAMPAIGN.name) return tellCampaign(io, await campaign(site, choice, io));
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

/** A fault's load can be chosen; what the scenario needs follows from it. */
function withLoad(scenario: Scenario, options: Invocation["options"]): Scenario {
  const { load } = readChoice(options);
  if (load === undefined) return scenario;
  if (scenario.fault === undefined) {
    throw new Fault({
      kind: "invalid",
      code: "option-invalid",
      what: `the load of ${scenario.name} cannot be chosen`,
      remedy: "--load is for the faults of `holdfast drill --list`",
    });
  }
  const isLocks = load === "locks";
  return { ...scenario, clients: isLocks ? 2 : 1, protocolsTogether: isLocks, injects: isLocks };
}

const HEADINGS: Readonly<Record<ScenarioGroup, string>> = {
  moves: "moves",
  locks: "locks",
  machines: "machines that fail",
  networks: "networks that fail",
  storage: "disks",
  fencing: "fencing",
  daemons: "what runs on a node",
  directors: "directors",
  checks: "checks and campaigns",
};

function listScenarios(io: Io): number {
  const all: readonly Listed[] = [...SCENARIOS, THROUGHPUT, CAMPAIGN, COMPARE];
  const width = Math.max(...all.map(({ name }) => name.length));
  for (const [group, heading] of Object.entries(HEADINGS)) {
    io.say(heading);
    const own = all.filter((one) => (one.group ?? "checks") === group);
    for (const { name, summary } of own) io.say(`  ${name.padEnd(width)}  ${summary}`);
  }
  io.document(
    all.map(({ name, group, summary, fault }) => ({
      name,
      group,
      summary,
      ...(fault === undefined ? {} : { fault: documentOf(fault) }),
    })),
  );
  return 0;
}

type Listed = Pick<Scenario, "name" | "summary" | "group" | "fault">;

function documentOf({ standsFor, cluster, mustHold, load, variants }: FaultDocument) {
  const forms = variants.map(({ name, steps, holds }) => ({
    name,
    steps: steps.map((step) => describeStep(step)),
    holds,
  }));
  return { standsFor, cluster, mustHold, load, variants: forms };
}

function campaign(site: DrillLab, choice: DrillChoice, io: Io): Promise<CampaignReport> {
  const load = choice.load ?? "locks";
  const scenario = { ...CAMPAIGN, run: () => Promise.reject(new Error("not a scenario")) };
  const protocols = choice.protocols ?? (load === "locks" ? PROTOCOLS : PROTOCOLS_UNLESS_SAID);
  const settings = { ...drillSettings(site, scenario, choice, protocols), load };
  const stamp = Math.floor(Date.now() / 1000).toString(36);
  const ledger = join(site.world.evidenceFolder ?? ".", `campaign-${choice.seed}-${stamp}.jsonl`);
  return runCampaign(site.world, settings, { minutes: choice.minutes, ledger, tell: (line) => io.say(line) });
}

function tellCampaign(io: Io, report: CampaignReport): number {
  const { faults, classes, ledger } = report.campaign;
  io.say("");
  for (const [name, count] of Object.entries(classes)) io.say(`${name.padEnd(20)} ${count}`);
  io.say(`${faults} faults: ${report.verdict}; ledger: ${ledger}`);
  for (const reason of report.because) io.say(`because: ${reason}`);
  io.document(report);
  return report.verdict === "pass" ? 0 : 1;
}

/** The protocol that a drill of one protocol uses unless it is told another. */
const PROTOCOLS_UNLESS_SAID: readonly Protocol[] = ["v4.2"];

/** One protocol after the other, unless the scenario is about all at once: their clients must not share the machine while they are timed. */
export async function runScenario(
  site: DrillLab,
  scenario: Scenario,
  choice: Omit<DrillChoice, "lab" | "minutes">,
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
  choice: Omit<DrillChoice, "lab" | "minutes">,
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
    ...(choice.load === undefined ? {} : { load: choice.load }),
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
