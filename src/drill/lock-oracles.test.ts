import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { checkCounter, heldAt, lostByHolder, stolen, type Counted } from "./lock-oracles.ts";
import { parseLog } from "./samples.ts";

function counted(...values: readonly number[]): readonly Counted[] {
  return values.map((value, at) => ({
    loop: at % 2 === 0 ? "home-c1-v3-count" : "home-c2-v4.2-count",
    value,
    endUs: at,
  }));
}

test("a counter that two clients raised one by one passes, in whatever order their logs are read", () => {
  fc.assert(
    fc.property(fc.shuffledSubarray([1, 2, 3, 4, 5, 6, 7], { minLength: 7 }), (values) => {
      assert.deepEqual(checkCounter(counted(...values), 7), { twice: [], missing: [] });
    }),
  );
  assert.deepEqual(checkCounter([], 0), { twice: [], missing: [] });
});

test("a value written twice is a lock granted twice, and the second success is named", () => {
  const { twice, missing } = checkCounter(counted(1, 2, 3, 3, 4), 4);
  assert.deepEqual(twice, [{ loop: "home-c2-v4.2-count", value: 3, endUs: 3 }]);
  assert.deepEqual(missing, []);
});

test("a value that nobody was told of, and one that the counter has lost, are missing", () => {
  assert.deepEqual(checkCounter(counted(1, 2, 4), 4).missing, [3]);
  assert.deepEqual(checkCounter(counted(1, 2, 3, 4), 2).missing, [3, 4]);
  assert.deepEqual(checkCounter(counted(1, 2), 3).missing, [3]);
  assert.deepEqual(checkCounter(counted(1, 3), undefined).missing, [2]);
  assert.deepEqual(checkCounter([], 2).missing, [1, 2]);
});

const SPAN = { startUs: 100, endUs: 1000 };

test("locks held are what the holder said last before the fault, not what was planned", () => {
  const log = parseLog("h held 500 0 0\ns 50 1 40\ns 150 1 50\ns 900 1 50\n");
  assert.equal(heldAt(log, 40), 0);
  assert.equal(heldAt(log, 60), 40);
  assert.equal(heldAt(log, 800), 50);
  assert.equal(heldAt(undefined, 800), 0);
});

test("EIO on a held descriptor loses all its locks, once, in the run in which it happened", () => {
  const log = parseLog("s 90 1 25\ne 300 5 write EIO EIO: i/o error\ne 800 5 write EIO EIO: i/o error\n");
  assert.equal(lostByHolder({ kind: "held" }, log, SPAN), 25);
  assert.equal(lostByHolder({ kind: "write" }, log, SPAN), 0);
  assert.equal(lostByHolder({ kind: "held" }, log, { startUs: 1000, endUs: 2000 }), 0);
});

test("a lock that was got from its holder counts once, however often it was got", () => {
  const log = parseLog(
    "e 200 5 lock EGRANTEDTWICE byte 4 of /x\ne 300 5 lock EGRANTEDTWICE byte 6 of /x\ne 400 5 lock EGRANTEDTWICE byte 4 of /x\ne 500 5 lock EIO no\n",
  );
  assert.deepEqual(stolen(log, SPAN), ["byte 4 of /x", "byte 6 of /x"]);
  assert.deepEqual(stolen(log, { startUs: 0, endUs: 200 }), ["byte 4 of /x"]);
  assert.deepEqual(stolen(undefined, SPAN), []);
});
