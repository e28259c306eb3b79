import assert from "node:assert/strict";
import { test } from "node:test";
import { seeded } from "./random.ts";

test("the same seed gives the same numbers, its neighbour gives others", () => {
  const draw = (seed: number): readonly number[] => {
    const random = seeded(seed);
    return Array.from({ length: 8 }, () => random.below(1_000));
  };
  assert.deepEqual(draw(7), draw(7));
  assert.notDeepEqual(draw(7), draw(8));
  assert.notDeepEqual(draw(7), draw(7 + 2 ** 32));
});

test("numbers fill their range evenly, and both ends are reached", () => {
  const random = seeded(1);
  const counts = new Map<number, number>();
  for (let draws = 0; draws < 6_000; draws++) {
    const drawn = random.between(3, 8);
    counts.set(drawn, (counts.get(drawn) ?? 0) + 1);
  }
  assert.deepEqual(
    [...counts.keys()].sort((a, b) => a - b),
    [3, 4, 5, 6, 7, 8],
  );
  for (const count of counts.values()) assert.ok(count > 850 && count < 1_150, `${count} of 1000`);
});
