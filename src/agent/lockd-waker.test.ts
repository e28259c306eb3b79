/** A lock manager that reads or does not; who is woken is seen by the call that is sent. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fakeNode } from "../../tests/fake-node.ts";
import { manualClock, type ManualClock } from "../../tests/manual-clock.ts";
import { SAMPLE_SPEC } from "../../tests/sample-spec.ts";
import { loadSpec } from "../model/load.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { openLockdWaker, waitingForLockd, type LockdWaker } from "./lockd-waker.ts";

const HOME = loadSpec(SAMPLE_SPEC, "sample").fileservers[0] as FileserverSpec;
const LOOK_INTERVAL_MS = 1_000;

interface Stage {
  readonly clock: ManualClock;
  readonly waker: LockdWaker;
  readonly calls: string[];
  readonly log: string[];
}

/** What waits at each look in turn; the last of them from then on. */
function stage(waiting: readonly number[], { answers = true } = {}): Stage {
  const clock = manualClock();
  const calls: string[] = [];
  const log: string[] = [];
  let looks = 0;
  const holder = {
    run: (commands: readonly (readonly string[])[]) => {
      calls.push(commands.map((command) => command.join(" ")).join("; "));
      return answers
        ? Promise.resolve({ status: 0, stdout: "", stderr: "" })
        : new Promise<never>((_, reject) => void clock.sleep(3_000).then(() => reject(new Error("no answer"))));
    },
    overdue: () => [],
    close: () => undefined,
  };
  const node = fakeNode({ clock, log: (line) => void log.push(line) });
  const waker = openLockdWaker({ node, fileserver: HOME, holder, insidePid: 1 }, () => {
    const bytes = waiting[Math.min(looks, waiting.length - 1)] ?? 0;
    looks += 1;
    return bytes;
  });
  return { clock, waker, calls, log };
}

/** The first look is at once. */
async function looks({ clock }: Stage, count: number): Promise<void> {
  await clock.pass(count * LOOK_INTERVAL_MS);
}

describe("the waker of lockd", () => {
  test("calls a lock manager that has read nothing since the last look", async () => {
    const sleeping = stage([656, 656, 0]);
    await looks(sleeping, 4);
    assert.equal(sleeping.calls.length, 1);
    assert.match(sleeping.calls[0] ?? "", /rpcinfo -a 10\.77\.0\.50\.\d+\.\d+ -T tcp 100021 4$/);
    assert.deepEqual(sleeping.log, ["home: lockd did not read 656 bytes of requests; woken"]);
  });

  for (const [what, waiting] of [
    ["nothing waits", [0]],
    ["it reads between the looks", [656, 0, 656, 0]],
    ["less waits than before: it is at work", [9_000, 4_000, 656, 0]],
  ] as const) {
    test(`leaves it alone where ${what}`, async () => {
      const awake = stage(waiting);
      await looks(awake, 6);
      assert.deepEqual(awake.calls, []);
    });
  }

  test("wakes it again only after a while, where that did not help", async () => {
    const hanging = stage([656]);
    await looks(hanging, 5);
    assert.equal(hanging.calls.length, 1);
    await looks(hanging, 4);
    assert.equal(hanging.calls.length, 2);
  });

  test("says it where the lock manager does not answer either, and never calls twice at once", async () => {
    const hanging = stage([656], { answers: false });
    await looks(hanging, 3);
    assert.equal(hanging.calls.length, 1);
    await hanging.clock.pass(2_000);
    assert.deepEqual(hanging.log, [
      "home: lockd did not read 656 bytes of requests; woken: its lock manager was not asked: no answer",
    ]);
  });

  test("looks closely when another fileserver's has stopped", async () => {
    const sleeping = stage([0, 656]);
    await sleeping.clock.pass(10);
    void sleeping.waker.lookClosely();
    await sleeping.clock.pass(100);
    assert.equal(sleeping.calls.length, 1);
  });

  test("and wakes nobody who has read by then", async () => {
    const awake = stage([0, 656, 656, 0]);
    await awake.clock.pass(10);
    void awake.waker.lookClosely();
    await awake.clock.pass(1_000);
    assert.deepEqual(awake.calls, []);
  });

  test("is quiet once it was stopped", async () => {
    const sleeping = stage([656]);
    sleeping.waker.stop();
    await looks(sleeping, 4);
    assert.deepEqual(sleeping.calls, []);
  });

  test("nothing waits where the namespaces have gone", () => {
    assert.equal(waitingForLockd(HOME, 0), 0);
  });
});
