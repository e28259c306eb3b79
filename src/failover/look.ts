/**
 * How often a node looks at its registrations, and at which of them. Pure. A look costs a question to every LUN that is
 * asked; what is gained is the time between a fence and the moment when the fenced node goes down.
 *
 * INVARIANTS
 * - A node that was fenced sees it at the next look: whoever fences begins with the decision LUN, the first, and that one
 *   is asked every time. Where it does not answer well, all are.
 * - What serves is asked about every time: its silence is counted from the last answer.
 */

const INTERVAL_MS = 250;
/** Also under emulation: the node has to be down before a hush is over (linux/mute-filter.ts). */
const INTERVAL_MAX_MS = 1_000;
/** LUNs of which nothing is here; less than the time after which no answer is silence (agent/registration.ts). */
const OTHERS_INTERVAL_MS = 750;
const OTHERS_INTERVAL_MAX_MS = 3_000;

export function lookIntervalMs(timeScale: number): number {
  return Math.min(INTERVAL_MS * timeScale, INTERVAL_MAX_MS);
}

export interface LookedAt {
  /** Registered since this node was booted, and the key stood at the last answer. */
  readonly verified: boolean;
  /** Nothing of any volume on it is here. */
  readonly idle: boolean;
  readonly sinceAskedMs: number;
}

/**
 * Which LUNs are asked now.
 *
 * @param luns in the order in which fences take them.
 */
export function lunsToAsk(luns: readonly LookedAt[], timeScale: number): readonly boolean[] {
  const othersMs = Math.min(OTHERS_INTERVAL_MS * timeScale, OTHERS_INTERVAL_MAX_MS);
  const decided = luns[0]?.verified === true;
  return luns.map(
    ({ verified, idle, sinceAskedMs }, index) =>
      index === 0 || !decided || !verified || !idle || sinceAskedMs >= othersMs,
  );
}
