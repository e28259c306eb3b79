import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { recordRun } from "../../tests/recorded-io.ts";
import { openSimulation } from "../simulation/simulate.ts";
import { MUTATIONS } from "../simulation/mutations.ts";
import { reportLines, SIMULATE } from "./simulate.ts";

describe("holdfast simulate", () => {
  test("tells what was tried, and ends with 0 where nothing broke", async () => {
    const run = await recordRun(SIMULATE, { schedules: "20", seed: "3" });
    assert.equal(run.status, 0);
    assert.match(run.said[0] ?? "", /^20 schedules from seed 3: 0 violations$/);
    const [document] = run.documents as [{ schedules: number; verdict: string; found: readonly unknown[] }];
    assert.deepEqual([document.schedules, document.verdict, document.found], [20, "pass", []]);
  });

  test("prints one schedule whole, the same each time", async () => {
    const trace = () => recordRun(SIMULATE, { schedules: "1", seed: "3", trace: true });
    const [first, second] = [await trace(), await trace()];
    assert.equal(first.status, 0);
    assert.deepEqual(first.said, second.said);
    assert.match(first.said.join("\n"), /open-address/);
  });

  test("says how a violation is shown again", () => {
    const broken = MUTATIONS.find(({ name }) => name === "open-before-nfsd");
    const simulation = openSimulation(3, broken?.logic);
    simulation.run(10);
    const lines = reportLines(simulation.report(), 100);
    assert.match(lines[0] ?? "", /^seed \d+: open-complete, /);
    assert.match(lines[2] ?? "", /holdfast simulate --seed \d+ --schedules 1 --trace/);
  });

  test("refuses what is no number of schedules", async () => {
    for (const schedules of ["0", "-1", "many", "1.5"])
      await assert.rejects(recordRun(SIMULATE, { schedules, seed: "1" }), /is not a whole number/);
    await assert.rejects(recordRun(SIMULATE, { schedules: "1", seed: "-1" }), /--seed -1/);
  });
});
