import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { systemClock, waitFor, type Clock } from "./clock.ts";

/** Time goes on only by sleeping. */
function fakeClock(): Clock & { readonly slept: number[] } {
  let nowMs = 0;
  const slept: number[] = [];
  return {
    slept,
    monotonicMs: () => nowMs,
    wallMs: () => nowMs,
    sleep: async (durationMs) => {
      slept.push(durationMs);
      nowMs += durationMs;
    },
  };
}

describe("waitFor", () => {
  const bound = { what: "port 2049", timeoutMs: 100, intervalMs: 30 };

  test("returns the first value, without sleeping when it is there at once", async () => {
    const clock = fakeClock();
    assert.equal(await waitFor(clock, bound, async () => "there"), "there");
    assert.deepEqual(clock.slept, []);
  });

  test("takes a value that counts as false", async () => {
    assert.equal(await waitFor(fakeClock(), bound, async () => 0), 0);
  });

  test("asks again at each interval, once more at the bound, and then gives up", async () => {
    const clock = fakeClock();
    let asked = 0;
    const value = await waitFor(clock, bound, async () => {
      asked += 1;
      return undefined;
    });
    assert.equal(value, undefined);
    assert.deepEqual(clock.slept, [30, 30, 30, 30]);
    assert.equal(asked, 5);
  });

  test("what the probe throws is not swallowed", async () => {
    await assert.rejects(
      waitFor(fakeClock(), bound, () => Promise.reject(new Error("no such device"))),
      /no such device/,
    );
  });
});

test("the monotonic clock of the system does not go back", async () => {
  const before = systemClock.monotonicMs();
  await systemClock.sleep(1);
  assert.ok(systemClock.monotonicMs() >= before);
});
