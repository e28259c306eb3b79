/** Randomness from a seed: the same numbers on every machine, so that a schedule can be run again. */

export interface Random {
  /** From 0 up to, and without, 1. */
  fraction(): number;
  /** A whole number from 0 up to, and without, `end`. */
  below(end: number): number;
  /** A whole number; both ends are possible. */
  between(least: number, most: number): number;
  chance(probability: number): boolean;
  pick<T>(values: readonly T[]): T;
}

const GOLDEN_RATIO = 0x9e3779b9;
const TWO_TO_32 = 2 ** 32;

/** Schedules of one campaign are told apart by their number; neighbours have nothing in common. */
export function seeded(seed: number): Random {
  let state = mix(mix(seed >>> 0) ^ Math.floor(seed / TWO_TO_32));
  // Mulberry32: one multiplication-rich step per number, period 2^32, which is far more than one schedule draws.
  const fraction = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let word = Math.imul(state ^ (state >>> 15), 1 | state);
    word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word;
    return ((word ^ (word >>> 14)) >>> 0) / TWO_TO_32;
  };
  const below = (end: number): number => Math.floor(fraction() * end);
  return {
    fraction,
    below,
    between: (least, most) => least + below(most - least + 1),
    chance: (probability) => fraction() < probability,
    pick: <T>(values: readonly T[]): T => values[below(values.length)] as T,
  };
}

/** Finaliser of MurmurHash3: every bit of the seed changes half of the state. */
function mix(word: number): number {
  let mixed = (word + GOLDEN_RATIO) | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
