/** An invented comparison: for tests of the pictures, and for looking at the report without a lab. */
import type { TimelineStep } from "../src/wire/timeline.ts";
import type { DrillDocument } from "../src/drill/document.ts";
import { PROBES, type Probe, type Protocol } from "../src/drill/names.ts";
import { seeded } from "../src/drill/random.ts";
import type { ComparedRun, Comparison, Trace } from "../src/drill/compare/comparison.ts";
import { TRACE_STEP_MS } from "../src/drill/compare/trace.ts";

/** Of each system: pause of a move and of a failover, and how much later a new lock comes. */
const PACE: Readonly<Record<string, { readonly move: number; readonly fail: number; readonly lockLater: number }>> = {
  stock: { move: 13_000, fail: 31_000, lockLater: 48_000 },
  "stock-tuned": { move: 7_200, fail: 16_500, lockLater: 9_000 },
  holdfast: { move: 1_150, fail: 5_400, lockLater: 0 },
};

export const SAMPLE_SYSTEMS = ["stock", "stock-tuned", "holdfast"];

export interface SampleSize {
  readonly scenarios: readonly string[];
  readonly protocols: readonly Protocol[];
  /** Of each system, scenario and protocol. */
  readonly runs: number;
}

export function sampleComparison({ scenarios, protocols, runs }: SampleSize): Comparison {
  const random = seeded(7);
  const made: ComparedRun[] = [];
  for (let round = 1; round <= runs; round += 1) {
    for (const system of SAMPLE_SYSTEMS) {
      for (const scenario of scenarios) {
        for (const protocol of protocols) made.push(sampleRun({ system, scenario, protocol, round }, random));
      }
    }
  }
  return {
    version: 1,
    startedAt: "2026-11-21T12:00:00.000Z",
    updatedAt: "2026-11-21T16:00:00.000Z",
    computer: "two processors, invented",
    accelerator: "tcg",
    image: "trixie-0",
    seed: 1,
    systems: SAMPLE_SYSTEMS,
    scenarios,
    protocols,
    runs: made,
    broken: [
      { system: "stock", scenario: scenarios[0] ?? "", protocol: "v3", round: 1, why: "invented: <n2> & n1 were off" },
    ],
  };
}

type Place = Pick<ComparedRun, "system" | "scenario" | "round"> & { readonly protocol: Protocol };

function sampleRun({ system, scenario, protocol, round }: Place, random: () => number): ComparedRun {
  const { move, fail, lockLater } = PACE[system] ?? { move: 1000, fail: 1000, lockLater: 0 };
  const isMove = scenario === "planned-move";
  const pause = Math.round((isMove ? move : fail) * (0.8 + 0.5 * random() ** 2));
  const lock = pause + Math.round(lockLater * (0.9 + 0.2 * random()));
  const pauseMs = { write: pause, read: pause - Math.round(60 * random()), open: pause + 90, lock };
  const timeline = isMove ? moveSteps(system, pause) : takeoverSteps(system, Math.round(pause * 0.4));
  const document: DrillDocument = {
    scenario,
    fileserver: "home",
    protocol,
    seed: 1,
    run: round,
    from: "n1",
    to: "n2",
    system,
    accelerator: "tcg",
    pauseMs,
    newOpenAfterReturnMs: 90,
    newLockAfterReturnMs: lock - pause,
    ...(isMove ? { afterOpenMs: Math.round(pause * 0.08) } : { phases: phasesOf(pause) }),
    timeline,
    oracle: {
      acknowledgedWrites: 800,
      lostWrites: 0,
      tornWrites: 0,
      locksHeld: protocol === "v3" ? 0 : 8,
      locksLost: system === "stock" && protocol !== "v3" ? 8 : 0,
      grantedTwice: 0,
      staleReads: 0,
      errorsSeenByApplications: 0,
    },
    oraclesFailed: [],
    verdict: "pass",
    because: [],
  };
  const trace = sampleTrace(pauseMs, random);
  return { system, scenario, protocol, round, endedAt: "2026-11-21T16:00:00.000Z", document, trace };
}

function phasesOf(pause: number): NonNullable<DrillDocument["phases"]> {
  const [detectMs, fenceMs, decideMs] = [0.3, 0.15, 0.07].map((share) => Math.round(pause * share));
  const beforeTakeoverMs = (detectMs ?? 0) + (fenceMs ?? 0) + (decideMs ?? 0);
  const takeoverMs = Math.round(pause * 0.4);
  const clientMs = pause - beforeTakeoverMs - takeoverMs;
  return {
    beforeTakeoverMs,
    detectMs: detectMs ?? 0,
    fenceMs: fenceMs ?? 0,
    decideMs: decideMs ?? 0,
    takeoverMs,
    clientMs,
  };
}

function steps(node: string, names: readonly string[], startMs: number, endMs: number): readonly TimelineStep[] {
  const length = (endMs - startMs) / names.length;
  return names.map((step, at) => ({
    step,
    node,
    startMs: Math.round(startMs + at * length),
    endMs: Math.round(startMs + (at + 1) * length),
    outcome: "done",
  }));
}

function moveSteps(system: string, pause: number): readonly TimelineStep[] {
  const names =
    system === "holdfast"
      ? ["hold-requests", "stop-nfsd", "unmount-volume:data"]
      : ["NFSNotify", "VIP", "NFSExport", "NFSService", "SharedFS", "VG"].map((name) => `stop ${name}`);
  const durationMs = Math.round(pause * 0.45);
  return [...steps("n1", names, 0, durationMs), ...takeoverSteps(system, durationMs, durationMs)];
}

function takeoverSteps(system: string, durationMs: number, startMs = 0): readonly TimelineStep[] {
  const names =
    system === "holdfast"
      ? ["reserve-luns:data", "activate-volume:data", "mount-volume:data", "start-nfsd", "open-address"]
      : ["VG", "SharedFS", "NFSService", "NFSExport", "VIP", "NFSNotify"].map((name) => `start ${name}`);
  return steps("n2", names, startMs, startMs + durationMs);
}

function sampleTrace(pauses: Readonly<Record<Probe, number>>, random: () => number): Trace {
  const endMs = Math.max(...Object.values(pauses)) + 7_000;
  const operations = PROBES.map((probe) => {
    const times: number[] = [];
    for (let atMs = -5_000; atMs < endMs; atMs += TRACE_STEP_MS) {
      if ((atMs < 0 || atMs > pauses[probe]) && random() > 0.12) times.push(atMs);
    }
    return [probe, times] as const;
  });
  return { operations: Object.fromEntries(operations), errors: [], endMs, timelineAtMs: 0 };
}
