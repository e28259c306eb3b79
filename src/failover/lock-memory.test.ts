import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { awaitsTime, isSteady, NOTHING_SEEN, remember, STAYS_MS, UNWATCHED, type LockMemory } from "./lock-memory.ts";

const LOOK_MS = 400;
const NONE: ReadonlySet<string> = new Set();

/** One look after the other; each row names the locks that are there. */
function after(looks: readonly (readonly string[])[], from: LockMemory = NOTHING_SEEN, awaiting = false): LockMemory {
  return looks.reduce<LockMemory>(
    (memory, keys, look) => remember(memory, keys, { nowMs: look * LOOK_MS, awaiting }),
    from,
  );
}

describe("a lock is held", () => {
  test("when two looks running have found it", () => {
    assert.equal(isSteady(NOTHING_SEEN, "a", NONE), false);
    assert.equal(isSteady(after([["a"]]), "a", NONE), true);
    assert.equal(isSteady(after([["b"]]), "a", NONE), false);
  });

  test("when the entry before had it, or nobody has looked", () => {
    assert.equal(isSteady(NOTHING_SEEN, "a", new Set(["a"])), true);
    assert.equal(isSteady(UNWATCHED, "a", NONE), true);
  });

  test("not when it was seen to go, whatever the last two looks and the entry before say", () => {
    const flaps = after([["a"], ["a"], [], ["a"], ["a"]]);
    assert.equal(isSteady(flaps, "a", new Set(["a"])), false);
  });

  test("again once it has stayed for long", () => {
    const stays = Array.from({ length: STAYS_MS / LOOK_MS + 1 }, () => ["a"]);
    assert.equal(isSteady(after([["a"], [], ...stays.slice(1)]), "a", NONE), false);
    assert.equal(isSteady(after([["a"], [], ...stays]), "a", NONE), true);
  });

  test("where it was missing while locks were awaited: it had not come back yet", () => {
    assert.equal(isSteady(after([["a"], [], ["a"]], NOTHING_SEEN, true), "a", NONE), true);
  });
});

test("time is waited for while one that came back may still stay", () => {
  assert.equal(awaitsTime(after([["a"], []])), false);
  assert.equal(awaitsTime(after([["a"], [], ["a"]])), true);
});

test("what has gone for good is forgotten", () => {
  const gone = after([["a"], ...Array.from({ length: 200 }, () => [])]);
  assert.equal(gone.passing.size, 0);
});

test("many short locks do not fill the memory", () => {
  const looks = Array.from({ length: 6 }, (_, look) => Array.from({ length: 4_000 }, (__, lock) => `${look}-${lock}`));
  const full = after(looks);
  assert.equal(full.passing.size, 10_000);
  assert.ok(full.passing.has("4-0") && !full.passing.has("0-0"));
});

test("whatever comes and goes: a lock that was there in every look is held", () => {
  const others = fc.array(fc.subarray(["b", "c", "d"]), { minLength: 2, maxLength: 50 });
  fc.assert(
    fc.property(others, (looks) => {
      const memory = after(looks.map((keys) => ["a", ...keys]));
      assert.ok(isSteady(memory, "a", NONE));
      for (const key of memory.passing.keys()) assert.ok(!isSteady(memory, key, new Set([key])));
    }),
  );
});
