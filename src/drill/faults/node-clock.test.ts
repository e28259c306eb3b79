import assert from "node:assert/strict";
import { test } from "node:test";
import type { Machines } from "../ports.ts";
import { latestOnOurClockMs } from "./node-clock.ts";

const NOW_MS = 1_795_000_000_000;

/** A machine whose clock is 4 s behind; its answers take so long to come back. */
function behind(...waysBackMs: readonly number[]) {
  let nowMs = NOW_MS;
  const ways = [...waysBackMs];
  const machines: Pick<Machines, "exec"> = {
    exec: (machine, argv) => {
      assert.deepEqual([machine, ...argv], ["n2", "date", "+%s.%N"]);
      const wayMs = ways.shift();
      if (wayMs === undefined) return Promise.resolve({ status: 255, stdout: "", stderr: "no route to host" });
      const stdout = `${Math.floor((nowMs - 4_000) / 1000)}.${String(nowMs % 1000).padStart(3, "0")}000000\n`;
      nowMs += wayMs;
      return Promise.resolve({ status: 0, stdout, stderr: "" });
    },
  };
  return { machines: machines as Machines, clock: { wallMs: () => nowMs } };
}

test("the quickest answer counts, and its way back is in the machine's favour", async () => {
  const latestMs = await latestOnOurClockMs(behind(700, 40, 300), "n2", NOW_MS - 9_000);
  assert.equal(Math.round(latestMs ?? 0), NOW_MS - 5_000 + 40);
});

test("a machine that does not answer tells nothing", async () => {
  assert.equal(await latestOnOurClockMs(behind(10), "n2", NOW_MS), undefined);
});
