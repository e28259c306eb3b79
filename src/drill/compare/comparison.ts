/** What a comparison of systems is, and what it says. Field names are a contract with who reads results.json. Pure. */
import type { DrillDocument, OracleCounts } from "../document.ts";
import type { Probe, ProtocolMix } from "../names.ts";
import { seeded } from "../random.ts";
import { ratioOfMedians, spreadOf, type Ratio, type Spread } from "./statistics.ts";

/** One run as the client saw it, times in milliseconds since the fault was caused. */
export interface Trace {
  /** Of each probe: when it succeeded, one entry per stretch of TRACE_STEP_MS. */
  readonly operations: Readonly<Partial<Record<Probe, readonly number[]>>>;
  readonly errors: readonly number[];
  /** Where the trace ends. */
  readonly endMs: number;
  /** When the timeline of the document begins; undefined where the clocks could not be compared. */
  readonly timelineAtMs?: number;
}

export interface ComparedRun {
  readonly system: string;
  readonly scenario: string;
  readonly protocol: ProtocolMix;
  /** From 1. */
  readonly round: number;
  readonly endedAt: string;
  readonly document: DrillDocument;
  readonly trace?: Trace;
}

/** A drill that could not be carried out on a system. */
export interface BrokenDrill {
  readonly system: string;
  readonly scenario: string;
  readonly protocol: string;
  readonly round: number;
  readonly why: string;
}

export interface Comparison {
  readonly version: 1;
  readonly startedAt: string;
  readonly updatedAt: string;
  /** The computer that it ran on, and what its machines ran on. */
  readonly computer: string;
  readonly accelerator: string;
  readonly image: string;
  readonly seed: number;
  readonly systems: readonly string[];
  readonly scenarios: readonly string[];
  readonly protocols: readonly string[];
  readonly runs: readonly ComparedRun[];
  readonly broken: readonly BrokenDrill[];
}

export interface Metric {
  readonly id: string;
  readonly title: string;
  readonly of: (document: DrillDocument) => number | undefined;
}

export const METRICS: readonly Metric[] = [
  {
    id: "pause",
    title: "pause of reads and writes",
    of: ({ pauseMs: { write, read } }) =>
      write === undefined && read === undefined ? undefined : Math.max(write ?? 0, read ?? 0),
  },
  { id: "open", title: "pause of opens", of: ({ pauseMs }) => pauseMs.open },
  { id: "lock", title: "pause of locks", of: ({ pauseMs }) => pauseMs.lock },
  { id: "newOpen", title: "first new open after data is back", of: (document) => document.newOpenAfterReturnMs },
  { id: "newLock", title: "first new lock after data is back", of: (document) => document.newLockAfterReturnMs },
];

export interface Cell {
  readonly system: string;
  readonly scenario: string;
  readonly protocol: string;
  readonly metric: string;
  readonly values: readonly number[];
  readonly spread: Spread;
}

export function cellsOf({ runs, systems, scenarios, protocols }: Comparison): readonly Cell[] {
  const cells: Cell[] = [];
  for (const scenario of scenarios) {
    for (const metric of METRICS) {
      for (const protocol of protocols) {
        for (const system of systems) {
          const own = runs.filter(
            (run) => run.system === system && run.scenario === scenario && run.protocol === protocol,
          );
          const values = own.flatMap(({ document }) => metric.of(document) ?? []);
          const spread = spreadOf(values);
          if (spread !== undefined) cells.push({ system, scenario, protocol, metric: metric.id, values, spread });
        }
      }
    }
  }
  return cells;
}

/** The system that the others are compared with. */
export const OURS = "holdfast";

/** Probes begin a round every 40 ms: what is shorter is no difference that could be seen, and counts as that. */
const RESOLUTION_MS = 40;

/** "At least so many times shorter than theirs." */
interface Goal {
  readonly scenario?: string;
  readonly metric: string;
  readonly against: string;
  readonly atLeast: number;
}

const GOALS: readonly Goal[] = [
  { scenario: "planned-move", metric: "pause", against: "stock", atLeast: 10 },
  { scenario: "planned-move", metric: "pause", against: "stock-tuned", atLeast: 4 },
  { scenario: "power-off", metric: "pause", against: "stock", atLeast: 5 },
  { scenario: "power-off", metric: "pause", against: "stock-tuned", atLeast: 2.5 },
  { metric: "newOpen", against: "stock", atLeast: 25 },
  { metric: "newLock", against: "stock", atLeast: 25 },
];

export interface Comparing {
  readonly scenario: string;
  readonly protocol: string;
  readonly metric: string;
  readonly against: string;
  readonly oursMs: number;
  readonly theirsMs: number;
  /** Theirs by ours: so many times shorter is ours. */
  readonly times: Ratio;
  readonly goal?: number;
  /** By the medians; `sure` says whether the whole interval agrees. */
  readonly reached?: boolean;
  readonly sure?: boolean;
}

/** Every metric of every other system against ours. */
export function ratiosOf(comparison: Comparison, cells: readonly Cell[] = cellsOf(comparison)): readonly Comparing[] {
  return cells.flatMap((ours) => {
    if (ours.system !== OURS) return [];
    const { scenario, protocol, metric } = ours;
    const others = cells.filter(
      (cell) =>
        cell.system !== OURS && cell.scenario === scenario && cell.protocol === protocol && cell.metric === metric,
    );
    return others.flatMap((theirs): readonly Comparing[] => {
      // A generator of its own for each: adding a run to one changes no other interval.
      const times = ratioOfMedians(theirs.values, ours.values, seeded(comparison.seed), RESOLUTION_MS);
      if (times === undefined) return [];
      const goal = GOALS.find(
        (one) => one.metric === metric && one.against === theirs.system && (one.scenario ?? scenario) === scenario,
      )?.atLeast;
      const verdict =
        goal === undefined ? {} : { goal, reached: times.ratio >= goal, sure: times.low >= goal || times.high < goal };
      const against = theirs.system;
      const [oursMs, theirsMs] = [ours.spread.medianMs, theirs.spread.medianMs];
      return [{ scenario, protocol, metric, against, oursMs, theirsMs, times, ...verdict }];
    });
  });
}

export interface Losses extends OracleCounts {
  readonly system: string;
  readonly runs: number;
  readonly failed: number;
}

export function lossesOf({ systems, runs, broken }: Comparison): readonly Losses[] {
  return systems.map((system) => {
    const own = runs.filter((run) => run.system === system).map(({ document }) => document);
    const sum = (of: (oracle: OracleCounts) => number): number => own.reduce((all, { oracle }) => all + of(oracle), 0);
    return {
      system,
      runs: own.length,
      failed:
        own.filter(({ verdict }) => verdict === "fail").length + broken.filter((one) => one.system === system).length,
      acknowledgedWrites: sum((oracle) => oracle.acknowledgedWrites),
      lostWrites: sum((oracle) => oracle.lostWrites),
      tornWrites: sum((oracle) => oracle.tornWrites),
      locksHeld: sum((oracle) => oracle.locksHeld),
      locksLost: sum((oracle) => oracle.locksLost),
      grantedTwice: sum((oracle) => oracle.grantedTwice),
      staleReads: sum((oracle) => oracle.staleReads),
      errorsSeenByApplications: sum((oracle) => oracle.errorsSeenByApplications),
    };
  });
}

/** What results.json holds: all that was seen, and what it says. */
export function resultsOf(comparison: Comparison): Comparison & {
  readonly cells: readonly Cell[];
  readonly ratios: readonly Comparing[];
  readonly losses: readonly Losses[];
} {
  const cells = cellsOf(comparison);
  return { ...comparison, cells, ratios: ratiosOf(comparison, cells), losses: lossesOf(comparison) };
}

/** The run in the middle: the one to look at. */
export function typicalRun(runs: readonly ComparedRun[]): ComparedRun | undefined {
  const [pause] = METRICS;
  const sorted = runs.toSorted((a, b) => (pause?.of(a.document) ?? 0) - (pause?.of(b.document) ?? 0));
  return sorted[Math.max(0, Math.ceil(sorted.length / 2) - 1)];
}
