/** What the oracles say of one run: counts for the document, and reasons where one of them is not zero. Pure. */
import type { PlannedLoop } from "./client-plan.ts";
import type { OracleCounts } from "./document.ts";
import { checkCounter, heldAt, lostByHolder, stolen, type Counted, type CounterVerdict } from "./lock-oracles.ts";
import type { Measured, MeasuredRun } from "./measure.ts";
import type { Loss } from "./names.ts";
import { checkErrors, type ErrorsVerdict } from "./oracles.ts";
import type { Window } from "./pause.ts";
import { acknowledgedBy, type ProbeLog } from "./samples.ts";

export interface OracleVerdict {
  readonly counts: OracleCounts;
  /** Of the neighbour, where there is one. */
  readonly neighbour: { readonly locksHeld: number; readonly locksLost: number };
  readonly failed: readonly Loss[];
  readonly because: readonly string[];
}

export interface OracleSubject {
  readonly fileserver: string;
  readonly neighbour?: { readonly fileserver: string };
  readonly allowedErrors?: readonly string[];
  readonly allowedLosses?: readonly Loss[];
}

/** @param isLast what happens while the probes are being stopped, and what the end showed, belongs to the last run. */
export function oracleOf(
  { fileserver, neighbour, allowedErrors = [], allowedLosses = [] }: OracleSubject,
  measured: Measured,
  run: MeasuredRun,
  isLast: boolean,
): OracleVerdict {
  const spanOf = (client: string): Window | undefined => {
    const span = run.windows.get(client)?.span;
    return span === undefined || !isLast ? span : { ...span, endUs: Number.MAX_SAFE_INTEGER };
  };
  const because: string[] = [];
  const errors = errorsOf(measured, spanOf, allowedErrors, because);
  const writes = writesOf(measured, spanOf, because);
  const counter = counterOf(measured, spanOf, isLast, because);
  // What a fault may cost is counted and told, and fails nothing.
  const ofLocks: string[] = allowedLosses.includes("lost-lock") ? [] : because;
  const locks = locksOf(measured, run, spanOf, isLast, fileserver, ofLocks);
  const beside = locksOf(measured, run, spanOf, isLast, neighbour?.fileserver, because);
  if (run.locksLost > 0) ofLocks.push(`the clients' kernels report ${run.locksLost} locks lost`);
  const counts: OracleCounts = {
    acknowledgedWrites: writes.acknowledged,
    lostWrites: writes.lost + counter.missing.length,
    tornWrites: writes.torn,
    locksHeld: locks.held,
    locksLost: locks.lost + run.locksLost,
    grantedTwice: locks.stolen + beside.stolen + counter.twice.length,
    staleReads: errors.staleReads,
    errorsSeenByApplications: errors.errorsSeenByApplications,
  };
  const failed = failedOracles(counts, beside.lost);
  const neighbourLocks = { locksHeld: beside.held, locksLost: beside.lost };
  return { counts, neighbour: neighbourLocks, failed: failed.filter((loss) => !allowedLosses.includes(loss)), because };
}

function failedOracles(counts: OracleCounts, neighbourLost: number): readonly Loss[] {
  const found: Readonly<Record<Loss, number>> = {
    "lost-write": counts.lostWrites - counts.tornWrites,
    "torn-write": counts.tornWrites,
    "lost-lock": counts.locksLost + neighbourLost,
    "granted-twice": counts.grantedTwice,
    "stale-read": counts.staleReads,
    "application-error": counts.errorsSeenByApplications - counts.staleReads,
  };
  return (Object.entries(found) as [Loss, number][]).flatMap(([loss, count]) => (count > 0 ? [loss] : []));
}

type SpanOf = (client: string) => Window | undefined;

function inSpan(span: Window, endUs: number): boolean {
  return endUs > span.startUs && endUs <= span.endUs;
}

function errorsOf(
  { logs, loops }: Measured,
  spanOf: SpanOf,
  allowed: readonly string[],
  because: string[],
): ErrorsVerdict {
  const verdicts = [...logs].flatMap(([name, log]) => {
    const span = spanOf(loops.get(name)?.machine ?? "");
    if (span === undefined) return [];
    const errors = log.errors.filter(({ code }) => !allowed.includes(code));
    return [checkErrors(new Map([[name, { ...log, errors }]]), span)];
  });
  const sum = (of: (verdict: ErrorsVerdict) => number): number => verdicts.reduce((all, one) => all + of(one), 0);
  const count = sum((one) => one.errorsSeenByApplications);
  const examples = verdicts.flatMap((one) => one.examples).slice(0, 5);
  if (count > 0) because.push(`applications saw ${count} errors: ${examples.join("; ")}`);
  return { errorsSeenByApplications: count, staleReads: sum((one) => one.staleReads), examples };
}

interface WriteCounts {
  readonly acknowledged: number;
  readonly lost: number;
  readonly torn: number;
}

function writesOf(measured: Measured, spanOf: SpanOf, because: string[]): WriteCounts {
  let [acknowledged, lost, torn] = [0, 0, 0];
  for (const [name, verdict] of measured.writes) {
    const log = measured.logs.get(name);
    const span = spanOf(measured.loops.get(name)?.machine ?? "");
    if (log === undefined) continue;
    if (span !== undefined) {
      const sequences = acknowledgedIn(log, span);
      acknowledged += sequences.size;
      const gone = verdict?.lost.filter((one) => sequences.has(one.sequence)) ?? [];
      lost += gone.length;
      torn += gone.filter(({ how }) => how === "torn").length;
      if (gone.length > 0) {
        const examples = gone.slice(0, 5).map((one) => `${one.sequence} ${one.how}`);
        because.push(`${gone.length} acknowledged writes of ${name} were lost: ${examples.join(", ")}`);
      }
    }
    // A record that no log line acknowledges can be in no run's span: the log itself lost something.
    if (verdict === undefined || verdict.lost.length === 0) continue;
    const all = acknowledgedIn(log, { startUs: -1, endUs: Number.MAX_SAFE_INTEGER });
    const strange = verdict.lost.filter((one) => !all.has(one.sequence));
    if (strange.length > 0) because.push(`${name}'s log of acknowledgements has ${strange.length} holes`);
  }
  return { acknowledged, lost, torn };
}

function acknowledgedIn(log: ProbeLog, span: Window): ReadonlySet<number> {
  const sequences = new Set<number>();
  for (const success of log.successes) {
    const [first, last] = acknowledgedBy(success) ?? [0, -1];
    if (!inSpan(span, success.endUs)) continue;
    for (let sequence = first; sequence <= last; sequence += 1) sequences.add(sequence);
  }
  return sequences;
}

function counterOf(measured: Measured, spanOf: SpanOf, isLast: boolean, because: string[]): CounterVerdict {
  const counting = [...measured.loops.values()].filter(({ kind }) => kind === "count");
  if (counting.length === 0) return { twice: [], missing: [] };
  const counted = counting.flatMap(({ name }): readonly Counted[] =>
    (measured.logs.get(name)?.successes ?? []).map(({ sequence = 0, endUs }) => ({
      loop: name,
      value: sequence,
      endUs,
    })),
  );
  const verdict = checkCounter(counted, measured.counter);
  const twice = verdict.twice.filter(({ loop, endUs }) => {
    const span = spanOf(measured.loops.get(loop)?.machine ?? "");
    return span !== undefined && inSpan(span, endUs);
  });
  const missing = isLast ? verdict.missing : [];
  const [again] = twice;
  if (again !== undefined) {
    because.push(
      `the counter under a lock was given ${twice.length} values twice, the first ${again.value} to ${again.loop}`,
    );
  }
  if (missing.length > 0) {
    because.push(`the counter under a lock misses ${missing.length} values: ${missing.slice(0, 5).join(", ")}`);
  }
  return { twice, missing };
}

interface LockCounts {
  readonly held: number;
  readonly lost: number;
  readonly stolen: number;
}

function locksOf(
  measured: Measured,
  run: MeasuredRun,
  spanOf: SpanOf,
  isLast: boolean,
  fileserver: string | undefined,
  because: string[],
): LockCounts {
  let [held, givenUp, freeInTheEnd, taken] = [0, 0, 0, 0];
  const got = new Set<string>();
  for (const loop of measured.loops.values()) {
    const span = spanOf(loop.machine);
    if (loop.fileserver !== fileserver || span === undefined) continue;
    const log = measured.logs.get(loop.name);
    if (holdsLocks(loop)) held += heldAt(log, run.windows.get(loop.machine)?.window.startUs ?? 0);
    const byHolder = lostByHolder(loop, log, span);
    if (byHolder > 0) because.push(`${loop.name} got EIO: its client gave ${byHolder} locks up`);
    givenUp += byHolder;
    const free = isLast ? (measured.freeLocks.get(loop.name) ?? 0) : 0;
    if (free > 0) because.push(`${free} locks of ${loop.name} were free in the end, while it held them`);
    freeInTheEnd += free;
    // Of two clients that are told to stop one gives its locks back first, and the other one gets them.
    const stoppedUs = measured.stoppedUs.get(loop.machine) ?? span.endUs;
    const own = stolen(log, { ...span, endUs: Math.min(span.endUs, stoppedUs) });
    if (own.length > 0) because.push(`${loop.name} was granted ${own.length} locks that others held: ${own[0]}`);
    taken += own.length;
    for (const text of own) got.add(belowMount(text));
  }
  // What another one got its holder had lost, even where a later grace has given it back: most such are free in the end, too.
  return { held, lost: givenUp + Math.max(freeInTheEnd, got.size), stolen: taken };
}

/** The same lock has another path on each mount. */
function belowMount(text: string): string {
  return text.replace(/ of .*(?=\/holdfast-drill\/)/, " of ");
}

function holdsLocks({ kind }: PlannedLoop): boolean {
  return kind === "held" || kind === "lock";
}
