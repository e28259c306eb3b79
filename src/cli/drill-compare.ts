/** `holdfast drill compare`: the same drills on several systems in turns, and a report of what clients saw. */
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { Fault, messageOf } from "../base/fault.ts";
import {
  OURS,
  ratiosOf,
  resultsOf,
  type BrokenDrill,
  type ComparedRun,
  type Comparing,
  type Comparison,
} from "../drill/compare/comparison.ts";
import { visitsOf, type ComparePlan, type Turn, type Visit } from "../drill/compare/plan.ts";
import { picturesOf, renderReport } from "../drill/compare/report.ts";
import { duration, standalone } from "../drill/compare/svg.ts";
import { traceOf } from "../drill/compare/trace.ts";
import type { Progress } from "../drill/ports.ts";
import type { DrillResult, Scenario } from "../drill/scenario.ts";
import { findScenario } from "../drill/scenarios.ts";
import { findLabProcesses } from "../lab/machines.ts";
import { labPaths } from "../lab/paths.ts";
import { checkLabName } from "../lab/plan.ts";
import { readState, type LabState } from "../lab/state.ts";
import { systemClock, waitFor } from "../system/clock.ts";
import type { Invocation, Io } from "./command.ts";
import { DRILL_CLUSTERS, withDrillLab, type DrillCluster, type DrillLab } from "./drill-lab.ts";
import type { DrillChoice } from "./drill-options.ts";
import { numberOption, textOption } from "./lab-options.ts";
import { LAB_DOWN } from "./lab-down.ts";
import { runQuietly, type FindCommand } from "./run-quietly.ts";

/** Runs one scenario as `holdfast drill` does. */
export type RunScenario = (
  site: DrillLab,
  scenario: Scenario,
  choice: Omit<DrillChoice, "lab" | "minutes">,
) => Promise<readonly DrillResult[]>;

export interface CompareSettings {
  readonly findCommand: FindCommand;
  readonly runScenario: RunScenario;
  readonly choice: DrillChoice;
  readonly plan: ComparePlan;
  readonly folder: string;
  readonly redraw: boolean;
}

const RUNS_UNLESS_SAID = 20;
/** There and back. */
const RUNS_PER_ROUND_UNLESS_SAID = 2;
const SYSTEMS_UNLESS_SAID = "stock,stock-tuned,holdfast";
const SCENARIOS_UNLESS_SAID = "planned-move,power-off";

/** Throws Faults of kind "invalid". */
export function readCompare(
  { options }: Pick<Invocation, "options">,
  choice: DrillChoice,
): Pick<CompareSettings, "plan" | "folder" | "redraw"> {
  const systems = listOption(options, "systems", SYSTEMS_UNLESS_SAID);
  for (const system of systems) clusterOf(system);
  const scenarios = listOption(options, "scenarios", SCENARIOS_UNLESS_SAID);
  for (const scenario of scenarios) findScenario(scenario);
  const runsPerRound = numberOption(options, "perRound") ?? RUNS_PER_ROUND_UNLESS_SAID;
  if (!Number.isInteger(runsPerRound) || runsPerRound < 1) throw invalid("--per-round needs a whole number from 1");
  const folder = textOption(options, "out");
  if (folder === undefined) throw invalid("drill compare needs --out DIR, where the report is put");
  const protocols = choice.protocols ?? (["v3", "v4.2"] as const);
  const runs = choice.runs ?? RUNS_UNLESS_SAID;
  return { plan: { systems, scenarios, protocols, runs, runsPerRound }, folder, redraw: options["redraw"] === true };
}

function listOption(options: Invocation["options"], name: string, unlessSaid: string): readonly string[] {
  const words = (textOption(options, name) ?? unlessSaid).split(",").filter((word) => word !== "");
  if (words.length > 0 && new Set(words).size === words.length) return words;
  throw invalid(`--${name} needs a list of different words, separated by commas`);
}

function clusterOf(system: string): DrillCluster {
  const cluster = DRILL_CLUSTERS.find((one) => one === system);
  if (cluster !== undefined) return cluster;
  throw invalid(`--systems ${system} is not known`, `use some of: ${DRILL_CLUSTERS.join(",")}`);
}

function invalid(what: string, remedy?: string): Fault {
  return new Fault({ kind: "invalid", code: "option-invalid", what, ...(remedy === undefined ? {} : { remedy }) });
}

export async function compareSystems(settings: CompareSettings, io: Io): Promise<number> {
  const { plan, folder, redraw } = settings;
  const progress: Progress = (line) => io.progress(line);
  let comparison = await openComparison(settings);
  if (redraw && comparison.runs.length === 0) throw invalid(`there is no results.json in ${folder} to be drawn again`);
  const visits = redraw ? [] : visitsOf(plan);
  // Two labs beside each other would take each other's processors.
  if (!redraw) for (const system of plan.systems) await takeDown(system, false, progress);
  const roundsBefore = Math.max(0, ...comparison.runs.map(({ round }) => round));
  for (const [at, planned] of visits.entries()) {
    const visit = { ...planned, round: planned.round + roundsBefore };
    progress(`visit ${at + 1} of ${visits.length}: ${visit.system}, round ${visit.round}`);
    const found = await makeVisit(settings, visit, progress);
    comparison = {
      ...comparison,
      ...found.place,
      updatedAt: new Date(systemClock.wallMs()).toISOString(),
      runs: [...comparison.runs, ...found.runs],
      broken: [...comparison.broken, ...found.broken],
    };
    // After each visit: what was measured stays, whatever comes after it.
    await writeAll(folder, comparison);
  }
  if (redraw) await writeAll(folder, comparison);
  tell(io, folder, comparison);
  return comparison.broken.length === 0 && comparison.runs.length > 0 ? 0 : 1;
}

/** The results that are there already are gone on with. */
async function openComparison({ folder, plan, choice }: CompareSettings): Promise<Comparison> {
  await mkdir(folder, { recursive: true });
  const file = resultsFile(folder);
  const nowText = new Date(systemClock.wallMs()).toISOString();
  const before = existsSync(file) ? (JSON.parse(await readFile(file, "utf8")) as Comparison) : undefined;
  if (before !== undefined && before.version !== 1) throw invalid(`${file} is of another version`);
  const also = (old: readonly string[] | undefined, now: readonly string[]): readonly string[] => [
    ...new Set([...(old ?? []), ...now]),
  ];
  return {
    version: 1,
    startedAt: before?.startedAt ?? nowText,
    updatedAt: before?.updatedAt ?? nowText,
    computer: computer(),
    accelerator: before?.accelerator ?? "",
    image: before?.image ?? "",
    seed: before?.seed ?? choice.seed,
    systems: also(before?.systems, plan.systems).toSorted((a, b) => Number(a === OURS) - Number(b === OURS)),
    scenarios: also(before?.scenarios, plan.scenarios),
    protocols: also(before?.protocols, plan.protocols),
    runs: before?.runs ?? [],
    broken: before?.broken ?? [],
  };
}

function computer(): string {
  const processors = cpus();
  return `${processors.length} processors (${processors[0]?.model.trim() ?? "unknown"})`;
}

function resultsFile(folder: string): string {
  return join(folder, "results.json");
}

interface Visited {
  readonly place: Partial<Pick<Comparison, "accelerator" | "image">>;
  readonly runs: readonly ComparedRun[];
  readonly broken: readonly BrokenDrill[];
}

/** A drill that cannot be carried out is told in the report; the next system has its turn. */
async function makeVisit(settings: CompareSettings, visit: Visit, progress: Progress): Promise<Visited> {
  const { system, turns, round } = visit;
  const runs: ComparedRun[] = [];
  const broken: BrokenDrill[] = [];
  let undone: readonly Turn[] = turns;
  const lab = { name: labOf(system), keep: false, wipe: false, needsEngine: true, cluster: clusterOf(system) };
  try {
    await withDrillLab(settings.findCommand, lab, progress, async (site) => {
      await requireSameImage(settings.plan.systems);
      await waitWhole(site, progress);
      for (const [at, turn] of turns.entries()) {
        undone = turns.slice(at);
        progress(`${system}: ${turn.scenario} over ${turn.protocol}, ${turn.runs} runs`);
        runs.push(...(await takeTurn(settings, site, visit, turn)));
      }
      undone = [];
    });
  } catch (error) {
    if (error instanceof Fault && error.code === "compare-images-differ") throw error;
    const why = messageOf(error);
    progress(`${system}: ${why}`);
    for (const { scenario, protocol } of undone.slice(0, 1)) broken.push({ system, scenario, protocol, round, why });
    // What it is in now is not what the next round is to begin with.
    await takeDown(system, true, progress);
  }
  return { place: await placeOf(system), runs, broken };
}

async function takeTurn(
  { choice, runScenario }: CompareSettings,
  site: DrillLab,
  { system, round }: Visit,
  { scenario, protocol, runs }: Turn,
): Promise<readonly ComparedRun[]> {
  // Another seed each round: moves are to meet the probes in other phases.
  const own = { ...choice, runs, protocols: [protocol], seed: choice.seed + round };
  const results = await runScenario(site, findScenario(scenario), own);
  const endedAt = new Date(systemClock.wallMs()).toISOString();
  return results.flatMap(({ documents, measured }) =>
    documents.map((document, at): ComparedRun => {
      const run = measured.runs[at];
      const trace = run === undefined ? {} : { trace: traceOf(measured, run) };
      return { system, scenario, protocol, round, endedAt, document, ...trace };
    }),
  );
}

const WHOLE_TIMEOUT_MS = 600_000;
const WHOLE_INTERVAL_MS = 4_000;

/** A cluster that was asleep may have to find itself again before anything is asked of it. */
async function waitWhole({ world }: DrillLab, progress: Progress): Promise<void> {
  let troubles: readonly string[] = [];
  const bound = { what: "a whole cluster", timeoutMs: WHOLE_TIMEOUT_MS, intervalMs: WHOLE_INTERVAL_MS };
  const whole = await waitFor(systemClock, bound, async () => {
    const before = troubles.join("; ");
    troubles = (await world.mover.clusterTroubles?.().catch((error: unknown) => [messageOf(error)])) ?? [];
    if (troubles.length > 0 && troubles.join("; ") !== before) progress(`not whole yet: ${troubles.join("; ")}`);
    return troubles.length === 0 ? true : undefined;
  });
  if (whole === undefined) throw new Fault({ code: "cluster-not-whole", what: troubles.join("; ") });
}

function labOf(system: string): string {
  return checkLabName(`compare-${system}`);
}

async function stateOf(system: string): Promise<LabState | undefined> {
  return readState(labPaths(labOf(system)).stateFile);
}

async function placeOf(system: string): Promise<Visited["place"]> {
  const state = await stateOf(system);
  return state === undefined ? {} : { accelerator: state.accelerator, image: state.imageId };
}

async function takeDown(system: string, powerOff: boolean, progress: Progress): Promise<void> {
  const name = labOf(system);
  if ((await stateOf(system)) === undefined) return;
  const { machines } = await findLabProcesses(labPaths(name));
  if (machines.size === 0 && !powerOff) return;
  await runQuietly(LAB_DOWN, { args: [], options: { name, powerOff } }, progress);
}

async function requireSameImage(systems: readonly string[]): Promise<void> {
  const images = new Map<string, string>();
  for (const system of systems) {
    const state = await stateOf(system);
    if (state !== undefined) images.set(system, `${state.imageId}, ${Object.values(state.shape).join("-")}`);
  }
  if (new Set(images.values()).size <= 1) return;
  throw new Fault({
    kind: "refused",
    code: "compare-images-differ",
    what: `the labs have other images or shapes: ${[...images].map((one) => one.join(" ")).join("; ")}`,
    remedy: `take the older ones away: ${[...images.keys()].map((one) => `holdfast lab down --wipe --name ${labOf(one)}`).join("; ")}`,
  });
}

async function writeAll(folder: string, comparison: Comparison): Promise<void> {
  const put = async (name: string, text: string): Promise<void> => {
    await writeFile(join(folder, `${name}.new`), text);
    await rename(join(folder, `${name}.new`), join(folder, name));
  };
  await put("results.json", `${JSON.stringify(resultsOf(comparison))}\n`);
  for (const picture of picturesOf(comparison)) await put(`${picture.name}.svg`, standalone(picture));
  await put("report.html", renderReport(comparison, notesOn(comparison)));
}

function notesOn({ accelerator, image, computer: place }: Comparison): readonly string[] {
  const machines = `The machines are virtual, of the image ${image}, on ${place}.`;
  if (accelerator !== "tcg") return [machines];
  return [
    `${machines} They are emulated in software. That makes whatever computes slower, above all the start of a program (10 to 30 times), and so whatever starts many programs; it does not change what waits for a timer: a lost token, a grace, a client that tries again.`,
  ];
}

function tell(io: Io, folder: string, comparison: Comparison): void {
  const { cells, losses, ratios } = resultsOf(comparison);
  for (const line of ratioLines(ratiosOf(comparison, cells))) io.say(line);
  for (const { system, scenario, protocol, round, why } of comparison.broken)
    io.say(`not measured: ${system}, ${scenario} over ${protocol}, round ${round}: ${why}`);
  io.say(`report: ${join(folder, "report.html")}`);
  const shown = cells.map(({ system, scenario, protocol, metric, spread }) => ({
    system,
    scenario,
    protocol,
    metric,
    ...spread,
  }));
  const { broken, runs } = comparison;
  io.document({ folder, report: join(folder, "report.html"), runs: runs.length, cells: shown, ratios, losses, broken });
}

export function ratioLines(ratios: readonly Comparing[]): readonly string[] {
  return ratios.map(({ scenario, protocol, metric, against, oursMs, theirsMs, times, goal, reached }) => {
    const place = `${scenario} ${protocol} ${metric}`.padEnd(30);
    const figures = `${duration(oursMs).padStart(8)}  ${against} ${duration(theirsMs)}`.padEnd(34);
    const interval = `${times.low.toFixed(1)} to ${times.high.toFixed(1)}`;
    const verdict = goal === undefined ? "" : `; goal ${goal}: ${reached === true ? "reached" : "not reached"}`;
    return `${place} ${figures} ${times.ratio.toFixed(1)} times (${interval})${verdict}`;
  });
}
