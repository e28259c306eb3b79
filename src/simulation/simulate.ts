/** Many schedules one after the other: what they have tried, and what they have found. */
import { makeCases, type Cases } from "./cases.ts";
import { FAULT_KINDS } from "./faults.ts";
import { REAL_LOGIC, type Logic } from "./logic.ts";
import { MUTATIONS, type Mutation } from "./mutations.ts";
import { runSchedule, type ScheduleResult } from "./schedule.ts";
import type { Tally } from "./world.ts";

export interface FoundViolation {
  /** Runs it again: `holdfast simulate --seed SEED --schedules 1 --trace`. */
  readonly seed: number;
  readonly invariant: string;
  readonly what: string;
  readonly atMs: number;
  /** What had been planned to go wrong. */
  readonly faults: readonly string[];
}

export interface SimulationReport {
  readonly seed: number;
  readonly schedules: number;
  readonly violations: number;
  /** The first of them. */
  readonly found: readonly FoundViolation[];
  readonly events: number;
  readonly virtualMs: number;
  readonly tally: Tally;
  /** By kind: how many were planned. */
  readonly faults: Readonly<Record<string, number>>;
}

export interface Simulation {
  /** Runs so many more schedules. */
  run(schedules: number): void;
  report(): SimulationReport;
}

const FOUND_MAX = 20;

export function openSimulation(seed: number, logic: Logic = REAL_LOGIC): Simulation {
  const cases = makeCases(logic);
  const found: FoundViolation[] = [];
  const faults: Record<string, number> = Object.fromEntries(FAULT_KINDS.map(({ name }) => [name, 0]));
  const tally = { ...NOTHING_YET };
  let schedules = 0;
  let violations = 0;
  let events = 0;
  let virtualMs = 0;
  return {
    run(more) {
      for (let count = 0; count < more; count++) {
        const result = runSchedule(cases, seed + schedules);
        schedules += 1;
        events += result.events;
        virtualMs += result.lastedMs;
        for (const { kind } of result.faults) faults[kind.name] = (faults[kind.name] ?? 0) + 1;
        add(tally, result.tally);
        if (result.violation === undefined) continue;
        violations += 1;
        if (found.length < FOUND_MAX) found.push(foundIn(result, result.violation));
      }
    },
    report: () => ({ seed, schedules, violations, found: [...found], events, virtualMs, tally: { ...tally }, faults }),
  };
}

const NOTHING_YET: Tally = {
  takeovers: 0,
  releases: 0,
  fences: 0,
  reboots: 0,
  writes: 0,
  locks: 0,
  reclaims: 0,
  givenUp: 0,
  doubleOpenMs: 0,
};

function add(tally: Tally, more: Tally): void {
  tally.takeovers += more.takeovers;
  tally.releases += more.releases;
  tally.fences += more.fences;
  tally.reboots += more.reboots;
  tally.writes += more.writes;
  tally.locks += more.locks;
  tally.reclaims += more.reclaims;
  tally.givenUp += more.givenUp;
  tally.doubleOpenMs = Math.max(tally.doubleOpenMs, more.doubleOpenMs);
}

function foundIn(
  { seed, faults }: ScheduleResult,
  { invariant, what, atMs }: NonNullable<ScheduleResult["violation"]>,
): FoundViolation {
  return { seed, invariant, what, atMs, faults: faults.map((one) => `${one.kind.name} at ${one.atMs} ms`) };
}

export interface TracedSchedule {
  readonly result: ScheduleResult;
  /** One line per event, with its virtual time. */
  readonly lines: readonly string[];
}

export function traceSchedule(seed: number, cases: Cases = makeCases(REAL_LOGIC)): TracedSchedule {
  const lines: string[] = [];
  const result = runSchedule(cases, seed, (atMs, who, what) => lines.push(traceLine(atMs, who, what)));
  const planned = result.faults.map(({ kind, atMs, lastsMs }) => traceLine(atMs, kind.name, `for ${lastsMs} ms`));
  const end =
    result.violation === undefined
      ? `served by one node, everything at rest: no violation, ${result.events} events`
      : `VIOLATION of ${result.violation.invariant}: ${result.violation.what}`;
  return { result, lines: [`schedule ${seed}: planned`, ...planned, "happened", ...lines, end] };
}

function traceLine(atMs: number, who: string, what: string): string {
  return `${(atMs / 1000).toFixed(3).padStart(9)}  ${who.padEnd(10)}  ${what}`;
}

export interface MutationFinding {
  readonly mutation: Mutation;
  /** Schedules that it took; undefined where none of them found it. */
  readonly found: { readonly schedules: number; readonly violation: FoundViolation } | undefined;
}

/** Runs each seeded bug until it is found. */
export function* huntMutations(
  seed: number,
  schedulesMax: number,
  mutations: readonly Mutation[] = MUTATIONS,
): Generator<MutationFinding> {
  for (const mutation of mutations) {
    const simulation = openSimulation(seed, mutation.logic);
    let found: MutationFinding["found"];
    for (let schedules = 1; schedules <= schedulesMax && found === undefined; schedules++) {
      simulation.run(1);
      const [violation] = simulation.report().found;
      if (violation !== undefined) found = { schedules, violation };
    }
    yield { mutation, found };
  }
}
