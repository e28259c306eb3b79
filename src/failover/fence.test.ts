import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { known, unknown, type Observed } from "../base/observed.ts";
import {
  afterPreempt,
  afterRead,
  beginFence,
  nextMove,
  registrationOf,
  type FenceEnd,
  type FenceState,
  type PreemptAnswer,
} from "./fence.ts";

type Keys = Observed<readonly string[]>;
const OWN = "0x1";
const VICTIM = "0x2";
const PARTIES = { ownKey: OWN, victimKey: VICTIM };

/** LUNs as they answer; a fault on a LUN takes the place of its n-th answer. */
interface Lun {
  readonly keys: Set<string>;
  reads?: (nth: number) => Keys | undefined;
  preempts?: PreemptAnswer;
  asked: number;
}

const lun = (keys: readonly string[], faults: Partial<Pick<Lun, "reads" | "preempts">> = {}): Lun => ({
  keys: new Set(keys),
  asked: 0,
  ...faults,
});

/** One move; the state after it. */
function makeMove(state: FenceState, luns: ReadonlyMap<string, Lun>, log: string[]): FenceState {
  const move = nextMove(state);
  if (move.do === "end") return state;
  if (move.do === "preempt") {
    const on = luns.get(move.lun);
    assert.ok(on !== undefined);
    const { ownKey, victimKey } = state.parties;
    const conflict = !on.keys.has(ownKey) || !on.keys.has(victimKey);
    const answer = on.preempts ?? (conflict ? "conflict" : "done");
    if (answer === "done") on.keys.delete(victimKey);
    log.push(`preempt ${move.lun}: ${typeof answer === "string" ? answer : "no answer"}`);
    return afterPreempt(state, answer);
  }
  log.push(`read ${move.luns.join(" ")}`);
  const answers = move.luns.map((name): [string, Keys] => {
    const on = luns.get(name);
    assert.ok(on !== undefined);
    on.asked += 1;
    return [name, on.reads?.(on.asked) ?? known([...on.keys])];
  });
  return afterRead(state, new Map(answers));
}

function fence(luns: Readonly<Record<string, Lun>>): { readonly end: FenceEnd; readonly log: readonly string[] } {
  const log: string[] = [];
  const map = new Map(Object.entries(luns));
  let state = beginFence(PARTIES, [...map.keys()]);
  for (let turn = 0; turn < 100; turn += 1) {
    const move = nextMove(state);
    if (move.do === "end") return { end: move.end, log };
    state = makeMove(state, map, log);
  }
  throw new Error("the fence did not end");
}

describe("a fence", () => {
  test("LUN after LUN in the order of their names, each read again", () => {
    const { end, log } = fence({ b: lun([OWN, VICTIM]), a: lun([VICTIM, OWN]), c: lun([OWN, VICTIM, "0x3"]) });
    assert.deepEqual(log, [
      "read a b c",
      "preempt a: done",
      "read a",
      "preempt b: done",
      "read b",
      "preempt c: done",
      "read c",
    ]);
    assert.deepEqual(end, {
      outcome: "fenced",
      because: ["its key is gone from a", "its key is gone from b", "its key is gone from c"],
    });
  });

  test("of a node whose key is nowhere is done when every LUN has said so", () => {
    const { end, log } = fence({ a: lun([OWN]), b: lun([OWN]) });
    assert.deepEqual([end.outcome, log], ["already", ["read a b"]]);
  });

  test("that was interrupted goes on where the victim's key is left", () => {
    const { end, log } = fence({ a: lun([OWN]), b: lun([OWN, VICTIM]) });
    assert.deepEqual([end.outcome, log], ["fenced", ["read a b", "preempt b: done", "read b"]]);
  });

  test("by a node that is not registered everywhere is refused, and takes nothing", () => {
    const luns = { a: lun([OWN, VICTIM]), b: lun([VICTIM]) };
    const { end } = fence(luns);
    assert.equal(end.outcome, "refused");
    assert.match(end.because.join(), /not registered on b/);
    assert.ok(luns.a.keys.has(VICTIM));
  });

  test("without any LUN fails", () => {
    assert.equal(fence({}).end.outcome, "failed");
  });
});

describe("a fault in a fence", () => {
  test("one LUN cannot be read: nothing is taken from anybody", () => {
    const luns = { a: lun([OWN, VICTIM]), b: lun([OWN, VICTIM], { reads: () => unknown("timed out") }) };
    const { end } = fence(luns);
    assert.deepEqual(end, { outcome: "failed", because: ["b cannot be read: timed out"] });
    assert.ok(luns.a.keys.has(VICTIM));
  });

  test("a LUN cannot be read any more in the middle: failed, never fenced", () => {
    const gone = (nth: number): Keys | undefined => (nth > 1 ? unknown("timed out") : undefined);
    const { end } = fence({ a: lun([OWN, VICTIM]), b: lun([OWN, VICTIM], { reads: gone }) });
    assert.equal(end.outcome, "failed");
    assert.deepEqual(end.because, ["its key is gone from a", "b cannot be read: timed out"]);
  });

  test("a PREEMPT without an answer: what became of it is not known", () => {
    const { end, log } = fence({ a: lun([OWN, VICTIM], { preempts: { failed: "timed out" } }) });
    assert.deepEqual([end.outcome, log.length], ["failed", 2]);
  });

  test("a conflict, because a third node was quicker: fenced all the same", () => {
    const a = lun([OWN, VICTIM], { preempts: "conflict" });
    a.reads = (nth) => (nth === 2 ? known([OWN, "0x3"]) : undefined);
    assert.equal(fence({ a }).end.outcome, "fenced");
  });

  test("a conflict, because the victim was quicker: refused", () => {
    const a = lun([OWN, VICTIM], { preempts: "conflict" });
    a.reads = (nth) => (nth === 2 ? known([VICTIM]) : undefined);
    assert.equal(fence({ a }).end.outcome, "refused");
  });

  test("a PREEMPT that is said to be done, and the key stands: failed", () => {
    const a = lun([OWN, VICTIM]);
    a.reads = () => known([OWN, VICTIM]);
    const { end } = fence({ a });
    assert.deepEqual([end.outcome, end.because], ["failed", ["its key still stands on a"]]);
  });
});

test("nodes that fence each other at the same time: whatever the order, at most one wins, and it is still registered", () => {
  const order = fc.array(fc.boolean(), { minLength: 40, maxLength: 40 });
  fc.assert(
    fc.property(order, fc.integer({ min: 1, max: 3 }), (turns, count) => {
      const luns = new Map(["a", "b", "c"].slice(0, count).map((name) => [name, lun([OWN, VICTIM])] as const));
      let one = beginFence(PARTIES, [...luns.keys()]);
      let other = beginFence({ ownKey: VICTIM, victimKey: OWN }, [...luns.keys()]);
      for (const turn of turns) {
        if (turn) one = makeMove(one, luns, []);
        else other = makeMove(other, luns, []);
      }
      for (let rest = 0; rest < 20; rest += 1) {
        one = makeMove(one, luns, []);
        other = makeMove(other, luns, []);
      }
      const outcomes = [one, other].map((state) => state.end?.outcome);
      assert.equal(outcomes.filter((outcome) => outcome === "fenced").length, 1, outcomes.join());
      const winner = outcomes[0] === "fenced" ? OWN : VICTIM;
      for (const { keys } of luns.values()) assert.deepEqual([...keys], [winner]);
    }),
    { seed: 1, numRuns: 300 },
  );
});

describe("whether a node is registered", () => {
  test("on, where one LUN has its key; off only where all say no", () => {
    const of = (...answers: readonly Keys[]): Observed<"on" | "off"> =>
      registrationOf(VICTIM, new Map(answers.map((keys, index) => [`lun${index}`, keys])));
    assert.deepEqual(of(known([OWN]), known([VICTIM])), known("on"));
    assert.deepEqual(of(unknown("x"), known([VICTIM])), known("on"));
    assert.deepEqual(of(known([OWN]), known([])), known("off"));
    assert.equal(of(known([OWN]), unknown("x")).known, false);
    assert.equal(of().known, false);
  });
});
