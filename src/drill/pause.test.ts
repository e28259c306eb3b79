import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { pauseIn, quantile, returnedLaterMs, type Pause, type Window } from "./pause.ts";
import type { Success } from "./samples.ts";

/** Successes at these milliseconds. */
function at(...timesMs: readonly number[]): Success[] {
  return timesMs.map((timeMs) => ({ endUs: timeMs * 1000, durationUs: 100 }));
}

function every(stepMs: number, fromMs: number, untilMs: number): number[] {
  return Array.from({ length: Math.floor((untilMs - fromMs) / stepMs) + 1 }, (_, index) => fromMs + index * stepMs);
}

const WINDOW: Window = { startUs: 2_000_000, endUs: 6_000_000 };

const cases: readonly { name: string; timesMs: readonly number[]; wantMs: number | undefined }[] = [
  { name: "nothing happened", timesMs: every(50, 1000, 7000), wantMs: 0 },
  { name: "one gap inside", timesMs: [...every(50, 1000, 3000), ...every(50, 4850, 7000)], wantMs: 1800 },
  { name: "the longest of two", timesMs: [...every(50, 1000, 3000), 3500, ...every(50, 4500, 7000)], wantMs: 950 },
  {
    name: "a gap before the window is not its pause",
    timesMs: [...every(50, 0, 500), ...every(50, 1500, 7000)],
    wantMs: 0,
  },
  { name: "a gap that began inside counts whole", timesMs: [...every(50, 1000, 5950), 9000], wantMs: 3000 },
  {
    name: "a gap that ended inside counts whole",
    timesMs: [...every(50, 1000, 1950), ...every(50, 3000, 7000)],
    wantMs: 1000,
  },
  { name: "it never came back", timesMs: every(50, 1000, 3000), wantMs: undefined },
  {
    name: "too little before to know the interval",
    timesMs: [1900, 1950, ...every(50, 4000, 7000)],
    wantMs: undefined,
  },
  { name: "no successes", timesMs: [], wantMs: undefined },
];

for (const { name, timesMs, wantMs } of cases) {
  test(`pause: ${name}`, () => assert.equal(pauseIn(at(...timesMs), WINDOW)?.pauseMs, wantMs));
}

test("a pause is the gap that was put in, less the interval, wherever it lies", () => {
  fc.assert(
    fc.property(fc.integer({ min: 10, max: 100 }), fc.integer({ min: 200, max: 3000 }), (intervalMs, gapMs) => {
      const before = every(intervalMs, 0, 2500);
      const last = before.at(-1) ?? 0;
      const successes = at(...before, ...every(intervalMs, last + gapMs, 9000));
      assert.equal(pauseIn(successes, WINDOW)?.pauseMs, gapMs - intervalMs);
    }),
  );
});

test("quantile is the nearest rank", () => {
  assert.equal(quantile([5, 1, 4, 2, 3], 0.5), 3);
  assert.equal(quantile([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 0.9), 9);
  assert.equal(quantile([7], 0.9), 7);
  assert.equal(quantile([], 0.5), undefined);
});

test("new open after return counts from the first data that came back", () => {
  const pause = (gapEndMs: number): Pause => ({
    pauseMs: 1,
    normalIntervalMs: 1,
    gapStartUs: 0,
    gapEndUs: gapEndMs * 1000,
  });
  assert.equal(returnedLaterMs(pause(5040), [pause(5010), pause(5000)]), 40);
  assert.equal(returnedLaterMs(pause(4900), [pause(5000)]), 0);
});
