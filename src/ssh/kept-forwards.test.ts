import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as passed } from "node:timers/promises";
import type { Forward, ForwardRequest } from "./forward.ts";
import { keepForwards, type OpenForward } from "./kept-forwards.ts";

const N1: ForwardRequest = { host: "n1", remoteSocket: "/run/x.sock", timeoutMs: 1_000 };
const LINGER_MS = 20;

interface Made extends Forward {
  alive: boolean;
  closed: number;
}

/** Looking whether one is alive takes longer than it may linger: whatever can happen between the two does. */
const LOOK_MS = 3 * LINGER_MS;

function keeping(fails: readonly Error[] = [], lookMs = 0): { readonly made: Made[]; readonly reach: OpenForward } {
  const made: Made[] = [];
  const left = [...fails];
  const open = async ({ host }: ForwardRequest): Promise<Forward> => {
    await passed(1);
    const failure = left.shift();
    if (failure !== undefined) throw failure;
    const one: Made = {
      socket: `/tmp/${host}-${made.length}`,
      alive: true,
      closed: 0,
      isAlive: () => passed(lookMs).then(() => one.alive),
      close: () => Promise.resolve(one.closeNow()),
      closeNow: () => {
        one.closed += 1;
        one.alive = false;
      },
    };
    made.push(one);
    return one;
  };
  return { made, reach: keepForwards(open, LINGER_MS) };
}

describe("connections that are kept", () => {
  test("one after the other and at the same time: one connection", async () => {
    const { made, reach } = keeping();
    const both = await Promise.all([reach(N1), reach(N1)]);
    for (const one of both) await one.close();
    const again = await reach(N1);
    assert.equal(again.socket, "/tmp/n1-0");
    await again.close();
    assert.deepEqual([made.length, made[0]?.closed], [1, 0]);
  });

  test("another machine has its own", async () => {
    const { made, reach } = keeping();
    await Promise.all([reach(N1), reach({ ...N1, host: "n2" })]);
    assert.equal(made.length, 2);
  });

  test("closed a while after the last one has closed, once, and made anew then", async () => {
    const { made, reach } = keeping();
    const [one, other] = await Promise.all([reach(N1), reach(N1)]);
    await Promise.all([one.close(), one.close()]);
    await passed(3 * LINGER_MS);
    assert.equal(made[0]?.closed, 0, "the other still needs it");
    await other.close();
    await passed(3 * LINGER_MS);
    assert.equal(made[0]?.closed, 1);
    assert.equal((await reach(N1)).socket, "/tmp/n1-1");
  });

  test("what is about to be used again is not closed meanwhile", async () => {
    const { made, reach } = keeping([], LOOK_MS);
    const first = await reach(N1);
    await first.close();
    const again = await reach(N1);
    assert.deepEqual([again.socket, made[0]?.closed], ["/tmp/n1-0", 0]);
    const closing = again.close();
    const third = await reach(N1);
    await closing;
    await passed(3 * LINGER_MS);
    assert.deepEqual([third.socket, made[0]?.closed], ["/tmp/n1-0", 0]);
  });

  test("one that has ended by itself is not handed out", async () => {
    const { made, reach } = keeping();
    await (await reach(N1)).close();
    for (const one of made) one.alive = false;
    assert.equal((await reach(N1)).socket, "/tmp/n1-1");
  });

  test("one that could not be made is an error for who asked, and is tried again by the next", async () => {
    const { reach } = keeping([new Error("no way")]);
    const answers = await Promise.allSettled([reach(N1), reach(N1)]);
    assert.deepEqual(
      answers.map(({ status }) => status),
      ["rejected", "rejected"],
    );
    assert.equal((await reach(N1)).socket, "/tmp/n1-0");
  });
});
