import assert from "node:assert/strict";
import { test } from "node:test";
import { reportOf, type DrillDocument } from "../drill/document.ts";
import { demoCommand, whatTookIt, zeroErrors } from "./demo.ts";

function document(errorsSeenByApplications: number): DrillDocument {
  const none = { lostWrites: 0, tornWrites: 0, locksLost: 0, grantedTwice: 0, staleReads: 0 };
  const counts = { acknowledgedWrites: 500, locksHeld: 8, ...none };
  return {
    scenario: "planned-move",
    fileserver: "home",
    protocol: "v3",
    seed: 1,
    run: 1,
    from: "n1",
    to: "n2",
    system: "holdfast",
    accelerator: "tcg",
    pauseMs: { write: 1500 },
    timeline: [],
    oracle: { ...counts, errorsSeenByApplications },
    oraclesFailed: errorsSeenByApplications === 0 ? [] : ["application-error"],
    verdict: errorsSeenByApplications === 0 ? "pass" : "fail",
    because: errorsSeenByApplications === 0 ? [] : ["applications saw errors"],
  };
}

test("the demo's last sentence counts over all moves, and gives the reasons where there are any", () => {
  assert.deepEqual(zeroErrors(reportOf([document(0), document(0)])), [
    "2 moves: 0 errors seen by applications, 0 of 1000 acknowledged writes lost, 0 locks lost, 0 stale reads",
  ]);
  assert.deepEqual(zeroErrors(reportOf([document(0), document(3)])), [
    "2 moves: 3 errors seen by applications, 0 of 1000 acknowledged writes lost, 0 locks lost, 0 stale reads",
    "  because: applications saw errors",
  ]);
});

test("what took the time is a table with its sum", () => {
  const phases = [
    { what: "bringing the lab up", durationMs: 152_300 },
    { what: "v3", durationMs: 61_000 },
  ];
  assert.deepEqual(whatTookIt(phases, 213_400), [
    "bringing the lab up   152.3 s",
    "v3                     61.0 s",
    "all together          213.4 s",
  ]);
});

test("the demo has the options of its contract", () => {
  assert.deepEqual(
    demoCommand(() => Promise.resolve(undefined)).options.map((option) => option.flags),
    ["--keep"],
  );
});
