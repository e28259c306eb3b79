/** Medians, their spread, and how sure a ratio of two medians is. Pure. */
import { quantile } from "../pause.ts";
import type { Random } from "../random.ts";

export interface Spread {
  readonly count: number;
  readonly medianMs: number;
  /** Quartiles, and the ends. */
  readonly lowMs: number;
  readonly highMs: number;
  readonly minMs: number;
  readonly maxMs: number;
}

/** Undefined for no values. Nearest-rank quantiles: each is one of the values. */
export function spreadOf(values: readonly number[]): Spread | undefined {
  const at = (share: number): number => quantile(values, share) ?? 0;
  if (values.length === 0) return undefined;
  return {
    count: values.length,
    medianMs: at(0.5),
    lowMs: at(0.25),
    highMs: at(0.75),
    minMs: Math.min(...values),
    maxMs: Math.max(...values),
  };
}

export interface Ratio {
  readonly ratio: number;
  /** 95 of 100 such comparisons would be between these. */
  readonly low: number;
  readonly high: number;
}

const RESAMPLES = 2000;
const TAIL = 0.025;

/**
 * Median of `over` by median of `under`, with a bootstrap interval (percentiles): both are drawn anew from their own
 * values, with replacement. Undefined where either has none.
 * @param floorMs what is shorter counts as this long: less cannot be told apart by the probes.
 */
export function ratioOfMedians(
  over: readonly number[],
  under: readonly number[],
  random: Random,
  floorMs: number,
): Ratio | undefined {
  const [top, bottom] = [over, under].map((values) => values.map((value) => Math.max(floorMs, value)));
  if (top === undefined || bottom === undefined || top.length === 0 || bottom.length === 0) return undefined;
  const ratios = Array.from(
    { length: RESAMPLES },
    () => medianOf(drawn(top, random)) / medianOf(drawn(bottom, random)),
  );
  return {
    ratio: medianOf(top) / medianOf(bottom),
    low: quantile(ratios, TAIL) ?? 0,
    high: quantile(ratios, 1 - TAIL) ?? 0,
  };
}

function medianOf(values: readonly number[]): number {
  return quantile(values, 0.5) ?? 0;
}

function drawn(values: readonly number[], random: Random): readonly number[] {
  return values.map(() => values[Math.floor(random() * values.length)] ?? 0);
}
