import { Fault } from "../base/fault.ts";
import { reportOf, type DrillDocument } from "../drill/document.ts";
import { drawMove } from "../drill/draw-move.ts";
import { terminalSettings, type DrawSettings } from "../drill/draw.ts";
import { parseProtocols, PROTOCOLS, type Family, type Protocol } from "../drill/names.ts";
import { renderRun, renderSummary } from "../drill/render.ts";
import { findScenario, SCENARIOS, type DrillResult, type DrillSettings, type Scenario } from "../drill/scenarios.ts";
import { measureThroughput, ROUNDS_MIN, type ThroughputDocument } from "../drill/throughput.ts";
import { TREE_FILES_MIN } from "../drill/tree.ts";
import type { CliCommand, Invocation, Io } from "./command.ts";
import { targetNamed, withDrillLab, type DrillLab, type FindCommand } from "./drill-lab.ts";
import { numberOption, wordOption } from "./lab-options.ts";

/** Not a fault but a comparison, with a document of its own; listed with the scenarios because it runs like one. */
const THROUGHPUT = {
  name: "throughput",
  summary: "fio and a storm of small files through the fileserver, against a plain kernel NFS server beside it",
};
const RUNS_MAX = 1000;

export function drillCommand(findCommand: FindCommand): CliCommand {
  return {
    words: ["drill"],
    summary: "inject a fault, measure from the client, judge",
    details:
      "Brings a lab up when none runs that serves, and takes it down afterwards.\n" +
      "pauseMs is the longest gap between two successes of a probe, less its normal interval, measured on the client.",
    arguments: [{ name: "scenario", help: "one of --list", optional: true }],
    options: [
      { flags: "--list", help: "name the scenarios" },
      { flags: "--protocol <protocol>", help: "v3, v4.1, v4.2 or all", default: "v4.2" },
      { flags: "--family <family>", help: "4 or 6: which of the fileserver's addresses the client uses", default: "4" },
      { flags: "--runs <n>", help: "how often, there and back in turn; prints a summary too" },
      { flags: "--seed <n>", help: "of everything that is random", default: "1" },
      { flags: "--fileserver <name>", help: "which fileserver the fault is for", default: "home" },
      { flags: "--client <machine>", help: "which machine measures", default: "c1" },
      { flags: "--lab <name>", help: "which lab", default: "lab" },
      {
        flags: "--tree-files <n>",
        help: "files in the tree that the client works on",
        default: String(TREE_FILES_MIN),
      },
      { flags: "--keep", help: "leave a lab that was brought up for this" },
    ],
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
  const lab = { name: choice.lab, keep: options["keep"] === true, wipe: true };
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

function listScenarios(io: Io): number {
  const all = [...SCENARIOS, THROUGHPUT].map(({ name, summary }) => ({ name, summary }));
  const width = Math.max(...all.map(({ name }) => name.length));
  for (const { name, summary } of all) io.say(`${name.padEnd(width)}  ${summary}`);
  io.document(all);
  return 0;
}

export interface DrillChoice {
  readonly protocols: readonly Protocol[];
  readonly family: Family;
  /** Undefined when it was not given: one run, and no summary. */
  readonly runs: number | undefined;
  readonly seed: number;
  readonly fileserver: string;
  readonly client: string;
  readonly lab: string;
  readonly treeFiles: number;
}

/** Throws Faults of kind "invalid". */
export function readChoice(options: Invocation["options"]): DrillChoice {
  const protocols = parseProtocols(String(options["protocol"]));
  if (protocols === undefined) {
    throw new Fault({
      kind: "invalid",
      code: "option-invalid",
      what: `--protocol ${String(options["protocol"])} is not known`,
      remedy: `use one of: ${PROTOCOLS.join(", ")}, all`,
    });
  }
  return {
    protocols,
    family: wordOption(options, "family", ["4", "6"]) === "6" ? 6 : 4,
    runs: wholeNumber(options, "runs", "runs", 1, RUNS_MAX),
    seed: wholeNumber(options, "seed", "seed", 0, 2 ** 32 - 1) ?? 1,
    fileserver: String(options["fileserver"]),
    client: String(options["client"]),
    lab: String(options["lab"]),
    treeFiles: wholeNumber(options, "treeFiles", "tree-files", 1, 1_000_000) ?? TREE_FILES_MIN,
  };
}

function wholeNumber(
  options: Invocation["options"],
  key: string,
  name: string,
  min: number,
  max: number,
): number | undefined {
  const value = numberOption({ [name]: options[key] }, name);
  if (value === undefined || (Number.isInteger(value) && value >= min && value <= max)) return value;
  throw new Fault({
    kind: "invalid",
    code: "option-invalid",
    what: `--${name} ${value} is not possible`,
    remedy: `give a whole number from ${min} to ${max}`,
  });
}

/** One protocol after the other: their clients must not share the machine while they are timed. */
export async function runScenario(
  site: DrillLab,
  scenario: Scenario,
  choice: Omit<DrillChoice, "lab">,
): Promise<readonly DrillResult[]> {
  const results: DrillResult[] = [];
  for (const protocol of choice.protocols) {
    results.push(await scenario.run(site.world, drillSettings(site, choice, protocol)));
  }
  return results;
}

function drillSettings(site: DrillLab, choice: Omit<DrillChoice, "lab">, protocol: Protocol): DrillSettings {
  const fileserver = targetNamed(site.fileservers, choice.fileserver);
  const [first, second] = site.nodes;
  if (first === undefined || second === undefined) {
    throw new Fault({ kind: "invalid", code: "too-few-nodes", what: "a move needs two nodes" });
  }
  return {
    fileserver,
    others: site.fileservers.filter((one) => one !== fileserver),
    nodes: [first, second],
    client: choice.client,
    protocol,
    family: choice.family,
    runs: choice.runs ?? 1,
    seed: choice.seed,
    treeFiles: choice.treeFiles,
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
    const picture = { ...run, fileserver: document.fileserver, logs: measured.logs };
    return [...lines, "", ...drawMove(picture, settings).split("\n")];
  });
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
