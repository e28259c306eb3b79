/** Oracles of the lock drills. Pure; each is tested by handing it a loss that it must see. */
import type { PlannedLoop } from "./client-plan.ts";
import { GRANTED_TWICE } from "./oracles.ts";
import type { Window } from "./pause.ts";
import type { ProbeLog } from "./samples.ts";

/** One success of a count loop. */
export interface Counted {
  readonly loop: string;
  readonly value: number;
  readonly endUs: number;
}

export interface CounterVerdict {
  /** All but the first success for a value: the lock had two holders, or the second one read an old value. */
  readonly twice: readonly Counted[];
  /** Values that nobody was told of, or that the counter in the end does not reach: a write was lost. */
  readonly missing: readonly number[];
}

/**
 * Under a lock with one holder at a time every value from 1 is written once, and the counter says in the end how many
 * there were. `final` is undefined where it could not be read: then only the log can tell.
 */
export function checkCounter(counted: readonly Counted[], final: number | undefined): CounterVerdict {
  const told = new Set<number>();
  const twice: Counted[] = [];
  for (const one of counted) {
    if (told.has(one.value)) twice.push(one);
    told.add(one.value);
  }
  const highest = counted.reduce((max, { value }) => Math.max(max, value), 0);
  const missing: number[] = [];
  for (let value = 1; value <= Math.max(highest, final ?? 0); value += 1) {
    if (!told.has(value) || (final !== undefined && value > final)) missing.push(value);
  }
  return { twice, missing };
}

/** By the holders' own reports: what the last success before `atUs` says, of one loop. */
export function heldAt(log: ProbeLog | undefined, atUs: number): number {
  const before = log?.successes.filter(({ endUs }) => endUs <= atUs).at(-1);
  return before?.sequence ?? 0;
}

/** Locks of one loop that its own client's kernel has given up: NFS_LOCK_LOST makes every write fail (fs/nfs/nfs4state.c). */
export function lostByHolder(loop: Pick<PlannedLoop, "kind">, log: ProbeLog | undefined, span: Window): number {
  if (loop.kind !== "held" && loop.kind !== "lock") return 0;
  const failed = log?.errors.find(({ code, endUs }) => code === "EIO" && endUs > span.startUs && endUs <= span.endUs);
  return failed === undefined ? 0 : heldAt(log, failed.endUs);
}

/** Each lock once, however often a steal loop came round to it. */
export function stolen(log: ProbeLog | undefined, span: Window): readonly string[] {
  const got = log?.errors.filter(
    ({ code, endUs }) => code === GRANTED_TWICE && endUs > span.startUs && endUs <= span.endUs,
  );
  return [...new Set(got?.map(({ text }) => text))];
}
