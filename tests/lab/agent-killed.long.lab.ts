/** The agent killed while it serves, and in a release; in a takeover is in serve-and-move. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { CrashDocument } from "../../src/drill/crash-points.ts";
import type { DrillDocument } from "../../src/drill/document.ts";
import { assertNothingLost, bringLabUp, holdfast, LAB, said, servedBy, takeLabDown } from "./lab-under-test.ts";

const DRILL_TIMEOUT_MS = 600_000;

before(bringLabUp);
after(takeLabDown);

describe("an agent that is killed", () => {
  test("in service: clients see no error, and a new one finds the fileserver served", async () => {
    const on = await servedBy("home");
    const words = ["--lab", LAB, "--runs", "1", "--json"];
    const ran = await holdfast(["drill", "agent-kill", ...words], DRILL_TIMEOUT_MS);
    const { runs } = JSON.parse(ran.stdout) as { runs: readonly DrillDocument[] };
    assert.deepEqual(
      runs.map(({ from, to }) => [from, to]),
      [[on, on]],
      said(ran),
    );
    for (const { oracle } of runs) assertNothingLost(oracle);
    assert.equal(await servedBy("home"), on);
  });

  test("in a release: it died, the next move succeeded, nothing is left of the half", async () => {
    const words = ["--lab", LAB, "--steps", "stop-nfsd", "--runs", "1", "--json"];
    const ran = await holdfast(["drill", "crash-points", ...words], DRILL_TIMEOUT_MS);
    assert.equal(ran.status, 0, said(ran));
    const { runs } = JSON.parse(ran.stdout) as { runs: readonly CrashDocument[] };
    assert.deepEqual(
      runs.map(({ crashPoint, verdict }) => [crashPoint.run, crashPoint.step, verdict]),
      [["release", "stop-nfsd", "pass"]],
    );
    for (const { oracle } of runs) assertNothingLost(oracle);
  });
});
