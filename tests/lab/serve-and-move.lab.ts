/** The first thing anyone does: machines, a fileserver, a client at work, a move. Verdicts and counts only, no times. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { CrashDocument } from "../../src/drill/crash-points.ts";
import type { DrillDocument } from "../../src/drill/document.ts";
import {
  assertNothingLost,
  bringLabUp,
  holdfast,
  inMachine,
  LAB,
  said,
  servedBy,
  specFile,
  takeLabDown,
} from "./lab-under-test.ts";

const DRILL_TIMEOUT_MS = 600_000;
const COMMAND_TIMEOUT_MS = 240_000;

function move(words: readonly string[]): ReturnType<typeof holdfast> {
  return holdfast(["move", ...words, "--json", "-f", specFile()], COMMAND_TIMEOUT_MS);
}

before(bringLabUp);
after(takeLabDown);

describe("a lab with two fileservers", () => {
  test("both are served by one node each", async () => {
    for (const name of ["home", "media"]) assert.match(String(await servedBy(name)), /^n[12]$/, name);
  });

  for (const [protocol, runCount] of [
    ["v4.2", 2],
    ["v3", 1],
  ] as const) {
    test(`clients over ${protocol} wait through a move${runCount > 1 ? " there and back" : ""}, and lose nothing`, async () => {
      const words = ["--lab", LAB, "--protocol", protocol, "--runs", String(runCount), "--tree-files", "100", "--json"];
      const ran = await holdfast(["drill", "planned-move", ...words], DRILL_TIMEOUT_MS);
      assert.equal(ran.status, 0, said(ran));
      const { runs } = JSON.parse(ran.stdout) as { runs: readonly DrillDocument[] };
      assert.equal(runs.length, runCount);
      for (const { oracle, timeline, verdict } of runs) {
        assert.equal(verdict, "pass");
        assertNothingLost(oracle);
        const steps = timeline.map(({ step }) => step);
        for (const step of ["hold-requests", "silence-address", "release-luns:data", "open-address"])
          assert.ok(steps.includes(step), step);
      }
    });
  }

  test("an agent killed in a takeover: it died, the next move succeeded, nothing is left of the half", async () => {
    const words = ["--lab", LAB, "--steps", "start-nfsd", "--runs", "1", "--json"];
    const ran = await holdfast(["drill", "crash-points", ...words], DRILL_TIMEOUT_MS);
    assert.equal(ran.status, 0, said(ran));
    const { runs } = JSON.parse(ran.stdout) as { runs: readonly CrashDocument[] };
    assert.deepEqual(
      runs.map(({ crashPoint, verdict }) => [crashPoint.run, crashPoint.step, verdict]),
      [["takeover", "start-nfsd", "pass"]],
    );
    for (const { oracle } of runs) assertNothingLost(oracle);
  });

  test("a move to the node that serves already is refused, and changes nothing", async () => {
    const on = String(await servedBy("media"));
    const refused = await move(["media", on]);
    assert.equal(refused.status, 3, said(refused));
    assert.equal(await servedBy("media"), on);
  });

  test("a volume that the other node has reserved is refused, and changes nothing", async () => {
    const on = String(await servedBy("media"));
    const other = on === "n1" ? "n2" : "n1";
    // The pipe stays open until the answer is there: an HTTP server of Node gives up a request whose asker closed its end.
    const request = String.raw`{ printf 'POST /v1/fileservers/media/takeover HTTP/1.0\r\n\r\n'; sleep 20; }`;
    const ran = await inMachine(other, `${request} | socat -t90 - UNIX:/run/holdfast/agent.sock`, COMMAND_TIMEOUT_MS);
    assert.match(ran.stdout, /"code":"(volume-reserved|address-taken)"/, said(ran));
    assert.equal(await servedBy("media"), on);
  });
});
