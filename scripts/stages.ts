/** What `./test` decides: which stages run, how long each may take, and what its result counts. No I/O here. */
import { basename } from "node:path";

export interface Stage {
  readonly name: string;
  /** Program and arguments; the program is found in node_modules/.bin first, then in the system's folders. */
  readonly command: readonly [string, ...string[]];
  readonly timeoutMs: number;
  /** "one": the stage is one check. "tests": it reports single tests over descriptor 3 (run-tests.ts). */
  readonly counts: "one" | "tests";
  /** Runs at the same time as the stage before it. */
  readonly besideTheLast?: boolean;
  /** Added to the environment. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Stages that must have passed: without them this one is not begun, and counts as failed. */
  readonly needs?: readonly string[];
}

/** What run-tests.ts writes to descriptor 3, one JSON document per line. */
export type TestReport =
  | { readonly kind: "passed" | "failed" | "skipped"; readonly name: string }
  | { readonly kind: "end" };

export interface StageRun {
  /** Exit status; null when the stage was ended by a signal or could not be started. */
  readonly status: number | null;
  readonly timedOut: boolean;
  /** Lines from descriptor 3. */
  readonly reports: readonly string[];
}

export interface Tally {
  readonly passed: number;
  readonly failed: number;
  /** Why the stage did not simply pass, for the line that names it. */
  readonly because?: string;
}

/**
 * A stage that could not run to its end counts at least one failure: no result is never a good result.
 * A skipped test counts as failed for the same reason.
 */
export function tallyStage(stage: Stage, run: StageRun): Tally {
  const short = cutShort(stage, run);
  if (stage.counts === "one") {
    return short === undefined ? { passed: 1, failed: 0 } : { passed: 0, failed: 1, because: short };
  }
  const reports = run.reports.map(parseReport);
  const cut = short !== undefined && run.timedOut ? `${short}; ${lastEnded(reports)}` : short;
  const count = (kind: TestReport["kind"]): number => reports.filter((report) => report?.kind === kind).length;
  const passed = count("passed");
  const failed = count("failed") + count("skipped");
  if (failed > 0) {
    const skipped = count("skipped");
    const also = skipped > 0 ? `, ${skipped} of them skipped` : "";
    return { passed, failed, because: `${failed} tests did not pass${also}${cut === undefined ? "" : `; ${cut}`}` };
  }
  if (cut !== undefined) return { passed, failed: 1, because: cut };
  if (count("end") === 0) return { passed, failed: 1, because: "the test run did not report its end" };
  if (passed === 0) return { passed, failed: 1, because: "no test ran" };
  return { passed, failed };
}

function cutShort(stage: Stage, run: StageRun): string | undefined {
  if (run.timedOut) return `not done within ${stage.timeoutMs / 1000} s`;
  if (run.status === null) return "ended by a signal, or could not be started";
  return run.status === 0 ? undefined : `exit status ${run.status}`;
}

/** A test that blocks the whole process cannot say so itself; it stands behind the last that ended. */
function lastEnded(reports: readonly (TestReport | undefined)[]): string {
  const last = reports.findLast((report) => report !== undefined && "name" in report);
  return last === undefined ? "no test ended" : `the last test that ended: ${last.name}`;
}

function parseReport(line: string): TestReport | undefined {
  try {
    const report: unknown = JSON.parse(line);
    return typeof report === "object" && report !== null && "kind" in report ? (report as TestReport) : undefined;
  } catch {
    return undefined;
  }
}

export interface Choice {
  readonly unitOnly: boolean;
  readonly all: boolean;
}

/** Undefined for words it does not know. */
export function parseChoice(argv: readonly string[]): Choice | undefined {
  if (argv.some((word) => word !== "--unit" && word !== "--all")) return undefined;
  return { unitOnly: argv.includes("--unit"), all: argv.includes("--all") };
}

const MINUTE_MS = 60_000;
/** The whole of a plain `./test`, a minute short of what is promised; what is left of it bounds each stage. */
export const TOTAL_TIMEOUT_MS = 24 * MINUTE_MS;
/** With --all the lab tests also run what takes longer. */
export const TOTAL_ALL_TIMEOUT_MS = 240 * MINUTE_MS;
/** How long a stage that ran out of time may take to clean up (a lab has machines to stop) before it is killed. */
export const CLEAN_UP_TIMEOUT_MS = 45_000;

export interface Found {
  readonly unitFiles: readonly string[];
  /** Where there are none, the stage runs all the same and fails ("no test ran"): a moved folder must not pass for a good result. */
  readonly labFiles: readonly string[];
}

const STATIC_STAGES: readonly Stage[] = [
  { name: "format", command: ["oxfmt", "--check", "src", "tests", "scripts"], timeoutMs: MINUTE_MS, counts: "one" },
  {
    name: "lint",
    // One line per finding, and no colour (with CI set the default has it).
    command: ["oxlint", "--type-aware", "--deny-warnings", "--format=unix", "src", "tests", "scripts"],
    timeoutMs: 3 * MINUTE_MS,
    counts: "one",
  },
  { name: "types", command: ["tsc", "-p", "tsconfig.json", "--noEmit"], timeoutMs: 3 * MINUTE_MS, counts: "one" },
  {
    name: "types of decisions",
    command: ["tsc", "-p", "tsconfig.decisions.json", "--noEmit"],
    timeoutMs: 3 * MINUTE_MS,
    counts: "one",
  },
];

const BUILD: Stage = {
  name: "build",
  command: ["node", "--no-warnings", "scripts/build.ts", "--check"],
  timeoutMs: 3 * MINUTE_MS,
  counts: "one",
};

const HOST_PACKAGES: Stage = {
  name: "host packages",
  command: ["node", "--no-warnings", "scripts/host-packages.ts"],
  timeoutMs: 5 * MINUTE_MS,
  counts: "one",
};

/** Mostly waiting for packages, so it costs the unit tests little. */
const LAB_IMAGE: Stage = {
  name: "lab image",
  command: ["node", "--no-warnings", "src/cli/program.ts", "lab", "image"],
  timeoutMs: 8 * MINUTE_MS,
  counts: "one",
  besideTheLast: true,
};

/** What would not fit into a plain `./test` beside the others, without KVM: only with --all. */
const LONG_LAB_ENDING = ".long.lab.ts";

/** One lab for all lab tests: on two cores without KVM its start is the longest part of a run. */
const LAB = "under-test";
const LAB_UP = "lab up";

const SIMULATION = "src/simulation/";

export function chooseStages(choice: Choice, found: Found): readonly Stage[] {
  const [simulation, unit] = parted(found.unitFiles, (file) => file.startsWith(SIMULATION));
  // Two minutes alone on two cores, half of it the simulation.
  const quick = [unitStage("unit tests", unit)];
  if (simulation.length > 0) {
    quick.push({ ...unitStage("simulation", simulation), besideTheLast: true });
  }
  if (choice.unitOnly) return [...STATIC_STAGES, ...quick];
  const [long, short] = parted(found.labFiles, (file) => file.endsWith(LONG_LAB_ENDING));
  return [
    ...STATIC_STAGES,
    HOST_PACKAGES,
    ...quick,
    LAB_IMAGE,
    BUILD,
    ...labStages(choice, short, choice.all ? long : []),
  ];
}

function parted<T>(items: readonly T[], is: (item: T) => boolean): readonly [yes: readonly T[], no: readonly T[]] {
  return [items.filter(is), items.filter((item) => !is(item))];
}

/** Thousands of tests: only what did not pass is shown. */
function unitStage(name: string, files: readonly string[]): Stage {
  return testStage(name, ["--quiet", ...files], 6 * MINUTE_MS);
}

function testStage(name: string, words: readonly string[], timeoutMs: number): Stage {
  return { name, command: ["node", "--no-warnings", "scripts/run-tests.ts", ...words], timeoutMs, counts: "tests" };
}

/** One file after the other: tests that run at the same time would change the lab under each other. */
function labStages(choice: Choice, short: readonly string[], long: readonly string[]): readonly Stage[] {
  const timeoutMs = choice.all ? TOTAL_ALL_TIMEOUT_MS : 22 * MINUTE_MS;
  const stageOf = (files: readonly string[]): Stage =>
    testStage(["lab tests", ...files.map((file) => basename(file, ".lab.ts"))].join(": "), files, timeoutMs);
  const lab = (words: readonly string[]): readonly [string, ...string[]] => ["node", "--no-warnings", ...words];
  const cluster = ["--cluster", "holdfast", "--engine", "standalone"];
  return [
    {
      name: LAB_UP,
      command: lab(["src/cli/program.ts", "lab", "up", "--name", LAB, ...cluster]),
      timeoutMs: 15 * MINUTE_MS,
      counts: "one",
      needs: [LAB_IMAGE.name],
    },
    ...(short.length === 0 ? [[]] : short.map((file) => [file])).map((files) => ({
      ...stageOf(files),
      environment: { HOLDFAST_TEST_LAB: LAB },
      needs: [LAB_UP],
    })),
    { name: "lab down", command: lab(["tests/lab/lab-down.ts", LAB]), timeoutMs: 3 * MINUTE_MS, counts: "one" },
    // These bring up labs of their own kind.
    ...long.map((file) => stageOf([file])),
  ];
}

/** Those that run at the same time are in one group. */
export function groupStages(stages: readonly Stage[]): readonly (readonly Stage[])[] {
  const groups: Stage[][] = [];
  for (const stage of stages) {
    const last = groups.at(-1);
    if (stage.besideTheLast === true && last !== undefined) last.push(stage);
    else groups.push([stage]);
  }
  return groups;
}

/** Undefined where it may begin. */
export function whyNotBegun(stage: Stage, tallies: ReadonlyMap<Stage, Tally>, leftMs: number): string | undefined {
  const passed = [...tallies].filter(([, { failed }]) => failed === 0).map(([{ name }]) => name);
  const lacks = stage.needs?.find((name) => !passed.includes(name));
  if (lacks !== undefined) return `${lacks} failed`;
  return leftMs < CLEAN_UP_TIMEOUT_MS + LEAST_TIMEOUT_MS ? "no time is left" : undefined;
}

const LEAST_TIMEOUT_MS = 1000;

/** The stage with its bound cut to what is left of the whole, so that the last line is always reached in time. */
export function withinBudget(stage: Stage, leftMs: number): Stage {
  const restMs = Math.max(LEAST_TIMEOUT_MS, leftMs - CLEAN_UP_TIMEOUT_MS);
  return { ...stage, timeoutMs: Math.min(stage.timeoutMs, restMs) };
}

export function verdictLine(tallies: readonly Tally[]): string {
  const passed = tallies.reduce((sum, tally) => sum + tally.passed, 0);
  const failed = tallies.reduce((sum, tally) => sum + tally.failed, 0);
  return `${passed} passed, ${failed} failed`;
}
