/** The pause that a client saw, from the successes of one probe. Pure. */
import type { Success } from "./samples.ts";

/** The stretch of the client's monotonic time in which one fault acted and was got over. */
export interface Window {
  readonly startUs: number;
  readonly endUs: number;
}

export interface Pause {
  /** Longest gap between two consecutive successes that touches the window, less the normal interval; never below 0. */
  readonly pauseMs: number;
  /** Median gap in the stretch before the window. */
  readonly normalIntervalMs: number;
  /** The last success before the gap and the first one after it. */
  readonly gapStartUs: number;
  readonly gapEndUs: number;
}

/** Gaps this far before the window tell the normal interval: long enough for a median, short enough to be the same load. */
export const BASELINE_US = 15_000_000;
/** Fewer successes than this before the window, and the normal interval would be a guess. */
export const BASELINE_SUCCESSES_MIN = 5;

export function median(values: readonly number[]): number | undefined {
  return quantile(values, 0.5);
}

/** Nearest-rank quantile: always one of the values. Undefined for no values. */
export function quantile(values: readonly number[], share: number): number | undefined {
  if (values.length === 0) return undefined;
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

/**
 * The pause in a window. Undefined when it cannot be told: too few successes before the window, or none after the
 * longest gap began (the probe did not come back, which is worse than any number).
 */
export function pauseIn(successes: readonly Success[], window: Window): Pause | undefined {
  const normalUs = normalIntervalUs(successes, window.startUs);
  const last = successes.at(-1);
  if (normalUs === undefined || last === undefined || last.endUs < window.endUs) return undefined;
  let longest: { gapUs: number; startUs: number; endUs: number } | undefined;
  for (let at = 1; at < successes.length; at += 1) {
    const startUs = successes[at - 1]?.endUs ?? 0;
    const endUs = successes[at]?.endUs ?? 0;
    if (endUs <= window.startUs || startUs >= window.endUs) continue;
    if (longest === undefined || endUs - startUs > longest.gapUs) longest = { gapUs: endUs - startUs, startUs, endUs };
  }
  if (longest === undefined) return undefined;
  return {
    pauseMs: Math.max(0, Math.round((longest.gapUs - normalUs) / 1000)),
    normalIntervalMs: Math.round(normalUs / 1000),
    gapStartUs: longest.startUs,
    gapEndUs: longest.endUs,
  };
}

function normalIntervalUs(successes: readonly Success[], windowStartUs: number): number | undefined {
  const before = successes.filter(
    (success) => success.endUs <= windowStartUs && success.endUs > windowStartUs - BASELINE_US,
  );
  if (before.length < BASELINE_SUCCESSES_MIN) return undefined;
  return median(before.slice(1).map((success, at) => success.endUs - (before[at]?.endUs ?? 0)));
}

/**
 * How much later one operation came back than data did: 0 when it was no later.
 * `data` are the pauses of the probes that need no new state (read and write of open files).
 */
export function returnedLaterMs(pause: Pause, data: readonly Pause[]): number {
  const dataReturnUs = Math.min(...data.map((one) => one.gapEndUs));
  return Math.max(0, Math.round((pause.gapEndUs - dataReturnUs) / 1000));
}
