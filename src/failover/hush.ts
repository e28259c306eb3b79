/**
 * When a node that is about to be fenced is told to fall silent, and for how long that is repeated. Pure: the agent sends
 * the hushes (linux/hush-filter.ts); docs/fencing.md says what they are for.
 *
 * INVARIANTS
 * - Nobody is hushed by a node that has not read its own key on every LUN just before: not by one that was fenced itself,
 *   and not by one that could not fence.
 * - A fence that failed has hushed for no longer than it lasted, and the next ones do not hush again for a while: a node
 *   that cannot be fenced goes on serving.
 */
import type { FenceEnd, FenceMove } from "./fence.ts";

/** All in milliseconds, multiplied by the time scale except the interval: a hush costs next to nothing. */
export const HUSH_BOUNDS = {
  /** The fence waits so long for the first hush and no longer. */
  firstMs: 100,
  /** A hush lasts 5 s and longer where it is heard (linux/mute-filter.ts); one that a full network card has lost is made good soon. */
  intervalMs: 500,
  /** A fence that hangs. */
  fenceMs: 10_000,
  /** After a fence that succeeded: until the takeover, which hushes for itself, even a slow one. */
  afterMs: 5_000,
  /** After a fence that failed nobody is hushed for so long. */
  againMs: 60_000,
} as const;

/**
 * Whether the victim is hushed before this move: once per fence, before the first key is taken from it.
 *
 * @param sinceFailedMs since a fence of the same victim failed after it had hushed; undefined where none has.
 */
export function hushesBefore(
  move: FenceMove,
  hushed: boolean,
  sinceFailedMs: number | undefined,
  timeScale: number,
): boolean {
  if (move.do !== "preempt" || hushed) return false;
  return sinceFailedMs === undefined || sinceFailedMs >= HUSH_BOUNDS.againMs * timeScale;
}

export interface HushTimes {
  readonly begunMs: number;
  /** Undefined while the fence is under way. */
  readonly ended?: { readonly atMs: number; readonly outcome: FenceEnd["outcome"] };
}

/** Whether the hush is repeated now. */
export function hushLasts({ begunMs, ended }: HushTimes, nowMs: number, timeScale: number): boolean {
  if (ended === undefined) return nowMs - begunMs < HUSH_BOUNDS.fenceMs * timeScale;
  return ended.outcome === "fenced" && nowMs - ended.atMs < HUSH_BOUNDS.afterMs * timeScale;
}
