import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../system/clock.ts";
import type { Machines } from "./ports.ts";
import { addressesOf, clockDifference, latestOnOurClockMs, ownAddresses } from "./look-at-machines.ts";

function printing(...answers: readonly string[]): Machines {
  let next = 0;
  return {
    exec: () => Promise.resolve({ status: 0, stdout: answers[next++ % answers.length] ?? "", stderr: "" }),
    copyTo: () => Promise.reject(new Error("nothing is copied")),
  };
}

/** Each look at the clock moves it on by the next of these. */
function clockOf(...stepsMs: readonly number[]): Clock {
  let nowMs = 1000;
  let at = 0;
  const look = (): number => {
    const seenMs = nowMs;
    nowMs += stepsMs[at++ % stepsMs.length] ?? 0;
    return seenMs;
  };
  return { wallMs: look, monotonicMs: look, sleep: () => Promise.resolve() };
}

test("the quickest answer knows best how far the clocks are apart", async () => {
  // Asked at 1000, answered at 1400; asked at 1400, answered at 1500; then slow again.
  const clock = clockOf(400, 0, 100, 0, 400, 0, 400, 0, 400, 0);
  const { offsetMs, errorMs } = await clockDifference(printing("9000\n", "6450\n", "9000\n"), clock, "n1");
  assert.deepEqual([offsetMs, errorMs], [5000, 50]);
});

test("a machine's time on this clock: what is not known of the difference is in its favour", async () => {
  const world = {
    machines: printing("9000\n", "6450\n", "9000\n"),
    clock: clockOf(400, 0, 100, 0, 400, 0, 400, 0, 400, 0),
  };
  assert.equal(await latestOnOurClockMs(world, "n1", 20_000), 15_000 + 50);
});

test("what is no time is told", async () => {
  await assert.rejects(clockDifference(printing("yesterday\n"), clockOf(1), "n1"), /date on n1 printed "yesterday/);
});

test("addresses come once each, and canonical", async () => {
  const hosts = "10.77.0.50      STREAM home.lab.example\n10.77.0.50      DGRAM\nFD77:0::50  STREAM\n";
  assert.deepEqual(await addressesOf(printing(hosts), "c1", "home.lab.example"), ["10.77.0.50", "fd77::50"]);
  assert.deepEqual(await ownAddresses(printing("10.0.2.15 10.77.0.21 fd77::21 \n"), "c1"), [
    "10.0.2.15",
    "10.77.0.21",
    "fd77::21",
  ]);
  await assert.rejects(ownAddresses(printing("\n"), "c1"), /hostname -I on c1 printed/);
});
