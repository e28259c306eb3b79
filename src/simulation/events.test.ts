import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { after, newOwner, newSignal, openEvents, raise, resume, spawn, waitAtMost, type Task } from "./events.ts";

function runAll(events: ReturnType<typeof openEvents>): void {
  while (events.next()) assert.ok(events.count < 10_000);
}

test("events happen in the order of their moments, and of being asked for at one moment", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { maxLength: 60 }), (moments) => {
      const events = openEvents();
      const happened: (readonly [number, number])[] = [];
      for (const [order, atMs] of moments.entries()) events.at(atMs, () => happened.push([events.nowMs, order]));
      runAll(events);
      const expected = moments.map((atMs, order) => [atMs, order] as const).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
      assert.deepEqual(happened, expected);
    }),
  );
});

describe("owners", () => {
  test("what has ended never goes on, and neither does what lives on it", () => {
    const events = openEvents();
    const node = newOwner();
    const agent = newOwner(node);
    const happened: string[] = [];
    after(events, node, 10, () => happened.push("node"));
    after(events, agent, 10, () => happened.push("agent"));
    node.living = false;
    runAll(events);
    assert.deepEqual(happened, []);
  });

  test("what became due while it was frozen comes when it is thawed, in order", () => {
    const events = openEvents();
    const node = newOwner();
    const agent = newOwner(node);
    const happened: string[] = [];
    after(events, agent, 10, () => happened.push("first"));
    after(events, node, 20, () => happened.push("second"));
    node.frozen = true;
    runAll(events);
    assert.deepEqual(happened, []);
    node.frozen = false;
    for (const run of node.deferred.splice(0)) resume(node, run);
    assert.deepEqual(happened, ["first", "second"]);
  });
});

test("a wait ends with its signal or at its bound, whichever comes first, and only once", () => {
  const events = openEvents();
  const owner = newOwner();
  const early = newSignal();
  const late = newSignal();
  const ended: (readonly [string, boolean, number])[] = [];
  function* wait(name: string, signal: ReturnType<typeof newSignal>): Task {
    const came = yield* waitAtMost(events, owner, signal, 50);
    ended.push([name, came, events.nowMs]);
  }
  spawn(events, owner, wait("early", early));
  spawn(events, owner, wait("late", late));
  events.at(20, () => raise(early));
  events.at(80, () => raise(late));
  runAll(events);
  assert.deepEqual(ended, [
    ["early", true, 20],
    ["late", false, 50],
  ]);
});
