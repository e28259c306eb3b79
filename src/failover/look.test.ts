import assert from "node:assert/strict";
import { test } from "node:test";
import { lookIntervalMs, lunsToAsk, type LookedAt } from "./look.ts";

const QUIET: LookedAt = { verified: true, idle: true, sinceAskedMs: 250 };

test("a look's interval follows the time scale up to a second", () => {
  const table = [
    [1, 250],
    [2, 500],
    [10, 1_000],
  ] as const;
  for (const [timeScale, ms] of table) assert.equal(lookIntervalMs(timeScale), ms);
});

test("the decision LUN every time, another when it matters or was not asked for long", () => {
  const table: readonly (readonly [string, LookedAt, LookedAt, number, readonly boolean[]])[] = [
    ["all quiet", QUIET, QUIET, 1, [true, false]],
    ["something of it is here", QUIET, { ...QUIET, idle: false }, 1, [true, true]],
    ["its key did not stand, or it gave no answer", QUIET, { ...QUIET, verified: false }, 1, [true, true]],
    ["the first gave no answer", { ...QUIET, verified: false }, QUIET, 1, [true, true]],
    ["not asked for long", QUIET, { ...QUIET, sinceAskedMs: 750 }, 1, [true, true]],
    ["under emulation", QUIET, { ...QUIET, sinceAskedMs: 2_999 }, 10, [true, false]],
    ["under emulation, for long", QUIET, { ...QUIET, sinceAskedMs: 3_000 }, 10, [true, true]],
    ["never asked", QUIET, { ...QUIET, sinceAskedMs: Number.POSITIVE_INFINITY }, 1, [true, true]],
  ];
  for (const [name, first, second, timeScale, expected] of table)
    assert.deepEqual(lunsToAsk([first, second], timeScale), expected, name);
  assert.deepEqual(lunsToAsk([], 1), []);
});
