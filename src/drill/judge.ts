/** From what was measured to a drill's document. Pure. */
import { verdictOf, type DrillDocument, type OracleCounts, type Pauses } from "./document.ts";
import { explainPause } from "./explain.ts";
import type { Measured, MeasuredRun } from "./measure.ts";
import { PROBES, type Probe, type Protocol } from "./names.ts";
import { checkErrors } from "./oracles.ts";
import { pauseIn, returnedLaterMs, type Pause, type Window } from "./pause.ts";
import type { ProbeLog } from "./samples.ts";

export interface Subject {
  readonly scenario: string;
  readonly fileserver: string;
  readonly protocol: Protocol;
  readonly seed: number;
  readonly system: string;
  readonly accelerator: string;
  /** "the move": what was done, as it stands in a sentence. */
  readonly act: string;
  /** More than this, and the run fails; undefined: a pause alone is no failure. */
  readonly limitMs?: number;
  /** Locks held all the time by the lock loops of the session. */
  readonly locksHeld: number;
  /** A second fileserver whose client must not notice. */
  readonly neighbour?: { readonly fileserver: string; readonly limitMs: number };
}

/** What a client does not notice: the bound of a neighbour's pause, and of the agent's death. */
export const UNNOTICED_PAUSE_MAX_MS = 300;

export function judge(subject: Subject, measured: Measured): readonly DrillDocument[] {
  return measured.runs.map((run, at) => judgeRun(subject, measured, run, at === measured.runs.length - 1));
}

function judgeRun(subject: Subject, measured: Measured, run: MeasuredRun, isLast: boolean): DrillDocument {
  const { logs } = measured;
  const because: string[] = [];
  // What happens while the probes are being stopped belongs to the last run.
  const span = isLast ? { ...run.span, endUs: Number.MAX_SAFE_INTEGER } : run.span;
  const pauses = pausesOf(logs, subject.fileserver, run.window);
  const oracle = oracleOf(subject, measured, run, span, because);
  const found = [...pauses.found.values()];
  const explanation = run.timeline === undefined ? undefined : explainPause(run.timeline, found, run.timelineZeroUs);
  const neighbour = neighbourOf(subject, logs, run, because);
  const later = laterOf(pauses);
  because.push(...actProblems(subject, run));
  because.push(...overLimit(subject.fileserver, pauses.pauseMs, subject.limitMs));
  for (const name of run.notReturned) because.push(`${name} did not come back within the drill's patience`);
  for (const problem of isLast ? measured.problems : []) because.push(problem);
  for (const probe of pauses.unknown) because.push(`the pause of ${probe} could not be measured`);
  return {
    scenario: subject.scenario,
    fileserver: subject.fileserver,
    protocol: subject.protocol,
    seed: subject.seed,
    run: run.run,
    from: run.from,
    to: run.to,
    system: subject.system,
    accelerator: subject.accelerator,
    pauseMs: pauses.pauseMs,
    ...later,
    ...explanation,
    ...neighbour,
    timeline: run.timeline?.steps ?? [],
    oracle,
    verdict: verdictOf(because),
    because,
  };
}

function actProblems(subject: Subject, run: MeasuredRun): readonly string[] {
  if (run.actError !== undefined) return [`${subject.act} failed: ${run.actError}`];
  if (run.timeline === undefined || run.timeline.outcome === "done") return [];
  return [`${subject.act} ended as ${run.timeline.outcome}`, ...(run.timeline.because ?? [])];
}

interface PausesFound {
  readonly pauseMs: Pauses;
  readonly found: ReadonlyMap<Probe, Pause>;
  readonly unknown: readonly Probe[];
}

function pausesOf(logs: ReadonlyMap<string, ProbeLog>, fileserver: string, window: Window): PausesFound {
  const pauseMs: Partial<Record<Probe, number>> = {};
  const found = new Map<Probe, Pause>();
  const unknown: Probe[] = [];
  for (const probe of PROBES) {
    const log = logs.get(`${fileserver}-${probe}`);
    if (log === undefined) continue;
    const pause = pauseIn(log.successes, window);
    const last = log.successes.at(-1);
    if (pause !== undefined) {
      found.set(probe, pause);
      pauseMs[probe] = pause.pauseMs;
    } else {
      unknown.push(probe);
      if (last !== undefined) pauseMs[probe] = Math.max(0, Math.round((window.endUs - last.endUs) / 1000));
    }
  }
  return { pauseMs, found, unknown };
}

/** "After return": from the first read or write that succeeded again to the first open and the first lock. */
function laterOf({ found }: PausesFound): Pick<DrillDocument, "newOpenAfterReturnMs" | "newLockAfterReturnMs"> {
  const data = (["write", "read"] as const).flatMap((probe) => found.get(probe) ?? []);
  if (data.length === 0) return {};
  const [open, lock] = [found.get("open"), found.get("lock")];
  return {
    ...(open === undefined ? {} : { newOpenAfterReturnMs: returnedLaterMs(open, data) }),
    ...(lock === undefined ? {} : { newLockAfterReturnMs: returnedLaterMs(lock, data) }),
  };
}

function oracleOf(
  subject: Subject,
  measured: Measured,
  run: MeasuredRun,
  span: Window,
  because: string[],
): OracleCounts {
  const errors = checkErrors(measured.logs, span);
  if (errors.errorsSeenByApplications > 0) {
    because.push(`applications saw ${errors.errorsSeenByApplications} errors: ${errors.examples.join("; ")}`);
  }
  if (run.locksLost > 0) because.push(`the client's kernel reports ${run.locksLost} locks lost`);
  let acknowledgedWrites = 0;
  let lostWrites = 0;
  for (const [name, verdict] of measured.writes) {
    const log = measured.logs.get(name);
    if (log === undefined) continue;
    const inSpan = log.successes.filter((one) => one.endUs > span.startUs && one.endUs <= span.endUs);
    acknowledgedWrites += inSpan.length;
    const sequences = new Set(inSpan.map((one) => one.sequence));
    const lost = verdict?.lost.filter((one) => sequences.has(one.sequence)) ?? [];
    lostWrites += lost.length;
    if (lost.length > 0) {
      const examples = lost.slice(0, 5).map((one) => `${one.sequence} ${one.how}`);
      because.push(`${lost.length} acknowledged writes of ${name} were lost: ${examples.join(", ")}`);
    }
    // A record that no log line acknowledges can be in no run's span: the log itself lost something.
    const strange = verdict?.lost.filter((one) => !log.successes.some((each) => each.sequence === one.sequence)) ?? [];
    if (strange.length > 0) because.push(`${name}'s log of acknowledgements has ${strange.length} holes`);
  }
  return {
    acknowledgedWrites,
    lostWrites,
    locksHeld: subject.locksHeld,
    locksLost: run.locksLost,
    staleReads: errors.staleReads,
    errorsSeenByApplications: errors.errorsSeenByApplications,
  };
}

function neighbourOf(
  subject: Subject,
  logs: ReadonlyMap<string, ProbeLog>,
  run: MeasuredRun,
  because: string[],
): Pick<DrillDocument, "neighbourPauseMs" | "neighbourBaselineMs"> {
  if (subject.neighbour === undefined) return {};
  const { fileserver, limitMs } = subject.neighbour;
  const during = pausesOf(logs, fileserver, run.window);
  const before = pausesOf(logs, fileserver, run.quiet);
  for (const probe of during.unknown) because.push(`the pause of ${fileserver}'s ${probe} could not be measured`);
  because.push(...overLimit(fileserver, during.pauseMs, limitMs));
  return { neighbourPauseMs: during.pauseMs, neighbourBaselineMs: before.pauseMs };
}

function overLimit(fileserver: string, pauses: Pauses, limitMs = Number.POSITIVE_INFINITY): readonly string[] {
  return Object.entries(pauses)
    .filter(([, pauseMs]) => pauseMs > limitMs)
    .map(([probe, pauseMs]) => `${fileserver}'s client waited ${pauseMs} ms in ${probe}, over ${limitMs} ms`);
}
