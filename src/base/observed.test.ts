import assert from "node:assert/strict";
import { test } from "node:test";
import { known, mapObserved, unknown } from "./observed.ts";

test("a known value is changed, an unknown one keeps its reason and is never asked", () => {
  assert.deepEqual(
    mapObserved(known(2), (value) => value * 2),
    known(4),
  );
  const why = unknown<number>("vgs timed out");
  const changed = mapObserved(why, () => assert.fail("was called without a value"));
  assert.deepEqual(changed, { known: false, why: "vgs timed out" });
});
