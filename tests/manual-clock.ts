/** Time that goes on only when a test says so. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../src/system/clock.ts";

export interface ManualClock extends Clock {
  /** Lets so much time pass: who sleeps wakes in order, and everybody runs as far as they can in between. */
  pass(durationMs: number): Promise<void>;
}

/** Real input and output of the code under test ends within so many turns of the event loop. */
const TURNS = 6;

async function settle(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn += 1) await nextTurn();
}

export function manualClock(): ManualClock {
  let nowMs = 1_000;
  const sleepers: { readonly atMs: number; readonly wake: () => void }[] = [];
  return {
    monotonicMs: () => nowMs,
    wallMs: () => nowMs,
    sleep: (durationMs) => new Promise((wake) => void sleepers.push({ atMs: nowMs + Math.max(0, durationMs), wake })),
    async pass(durationMs) {
      const endMs = nowMs + durationMs;
      for (;;) {
        await settle();
        const next = sleepers.toSorted((a, b) => a.atMs - b.atMs)[0];
        if (next === undefined || next.atMs > endMs) break;
        nowMs = Math.max(nowMs, next.atMs);
        sleepers.splice(sleepers.indexOf(next), 1);
        next.wake();
      }
      nowMs = endMs;
    },
  };
}
