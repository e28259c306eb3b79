import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { known, unknown } from "../base/observed.ts";
import { afterPreempt, afterRead, beginFence, nextMove, type FenceMove, type FenceState } from "./fence.ts";
import { hushesBefore, hushLasts, type HushTimes } from "./hush.ts";

const READ: FenceMove = { do: "read", luns: ["a"] };
const PREEMPT: FenceMove = { do: "preempt", lun: "a" };
const END: FenceMove = { do: "end", end: { outcome: "already", because: [] } };

test("once, before the first key is taken; not again soon after a fence that failed", () => {
  const table: readonly (readonly [FenceMove, boolean, number | undefined, boolean])[] = [
    [READ, false, undefined, false],
    [PREEMPT, false, undefined, true],
    [PREEMPT, true, undefined, false],
    [PREEMPT, false, 59_999, false],
    [PREEMPT, false, 60_000, true],
    [PREEMPT, true, 60_000, false],
    [END, false, undefined, false],
  ];
  for (const [move, hushed, sinceFailedMs, expected] of table)
    assert.equal(hushesBefore(move, hushed, sinceFailedMs, 1), expected, JSON.stringify([move, hushed, sinceFailedMs]));
  assert.equal(hushesBefore(PREEMPT, false, 60_000, 10), false);
  assert.equal(hushesBefore(PREEMPT, false, 600_000, 10), true);
});

describe("a hush is repeated", () => {
  const ended = (outcome: "fenced" | "failed" | "refused" | "already"): HushTimes => ({
    begunMs: 0,
    ended: { atMs: 100, outcome },
  });
  const table: readonly (readonly [string, HushTimes, number, number, boolean])[] = [
    ["while the fence is under way", { begunMs: 0 }, 9_999, 1, true],
    ["not by one that hangs", { begunMs: 0 }, 10_000, 1, false],
    ["longer under emulation", { begunMs: 0 }, 10_000, 10, true],
    ["after it, until the takeover", ended("fenced"), 5_099, 1, true],
    ["and no longer", ended("fenced"), 5_100, 1, false],
    ["not after one that failed", ended("failed"), 101, 1, false],
    ["not by a node that was fenced itself", ended("refused"), 101, 1, false],
    ["not where nothing was taken", ended("already"), 101, 1, false],
  ];
  for (const [name, times, nowMs, timeScale, expected] of table)
    test(name, () => assert.equal(hushLasts(times, nowMs, timeScale), expected));
});

describe("along a fence", () => {
  /** Whether it hushes, with what the LUNs answer to the first question. */
  const hushes = (answers: ReadonlyMap<string, readonly string[] | undefined>): boolean => {
    let state: FenceState = beginFence({ ownKey: "0x1", victimKey: "0x2" }, [...answers.keys()]);
    let count = 0;
    for (;;) {
      const move = nextMove(state);
      if (hushesBefore(move, count > 0, undefined, 1)) count += 1;
      if (move.do === "end") return count === 1;
      if (move.do === "preempt") state = afterPreempt(state, { failed: "no answer" });
      else {
        const read = [...answers].map(
          ([lun, keys]) => [lun, keys === undefined ? unknown<readonly string[]>("no path") : known(keys)] as const,
        );
        state = afterRead(state, new Map(read));
      }
    }
  };

  test("the victim is hushed where it will be fenced", () => {
    assert.equal(hushes(new Map([["a", ["0x1", "0x2"]]])), true);
  });

  test("nobody is, where a LUN cannot be read, where this node is not registered, or the victim is not", () => {
    assert.equal(
      hushes(
        new Map([
          ["a", ["0x1", "0x2"]],
          ["b", undefined],
        ]),
      ),
      false,
    );
    assert.equal(hushes(new Map([["a", ["0x2"]]])), false);
    assert.equal(hushes(new Map([["a", ["0x1"]]])), false);
  });
});
