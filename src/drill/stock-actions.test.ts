import assert from "node:assert/strict";
import { test } from "node:test";
import { explainPause, silenceOf } from "./explain.ts";
import { lastTakeover, moveTimeline, parseActions } from "./stock-actions.ts";

/** As Pacemaker 3.0 writes; shortened to what is read. */
const N1 = `1000.100000 n1 pacemaker-controld[9]: notice: Requesting local execution of stop operation for VIP on n1
1000.400000 n1 pacemaker-controld[9]: notice: Result of stop operation for VIP on n1: ok
1000.500000 n1 pacemaker-controld[9]: notice: Requesting local execution of stop operation for VG on n1
1002.500000 n1 pacemaker-controld[9]: notice: Result of stop operation for VG on n1: ok
strange line
`;
const N2 = `900.000000 n2 pacemaker-controld[9]: notice: Result of start operation for VG on n2: ok
900.500000 n2 pacemaker-controld[9]: notice: Result of start operation for VIP on n2: ok
1005.000000 n2 pacemaker-controld[9]: notice: Requesting local execution of start operation for VG on n2
1006.000000 n2 pacemaker-controld[9]: notice: Result of start operation for VG on n2: ok
1006.250000 n2 pacemaker-controld[9]: notice: Result of start operation for VIP on n2: error (no route)
`;

test("a move is what both nodes did since it was asked for, on one clock", () => {
  const actions = [...parseActions(N1, "n1"), ...parseActions(N2, "n2")];
  const timeline = moveTimeline("home", "n2", 1_000_000, actions, new Map([["n2", 2000]]));
  assert.deepEqual(
    timeline.steps.map(({ step, node, startMs, endMs, outcome }) => [step, node, startMs, endMs, outcome]),
    [
      ["stop VIP", "n1", 100, 400, "done"],
      ["stop VG", "n1", 500, 2500, "done"],
      ["start VG", "n2", 3000, 4000, "done"],
      ["start VIP", "n2", 4000, 4250, "failed"],
    ],
  );
  assert.deepEqual(silenceOf(timeline), { startMs: 100, endMs: 4250 });
  const pause = { pauseMs: 5000, normalIntervalMs: 40, gapStartUs: 0, gapEndUs: 5_000_000 };
  assert.deepEqual(explainPause(timeline, [pause], 0), {
    explainedMs: 4150,
    unexplainedMs: 850,
    beforeSilenceMs: 100,
    afterOpenMs: 750,
  });
});

test("a takeover is the newest start of the whole group", () => {
  const takeover = lastTakeover("home", "n2", ["PortBlock", "VG"], parseActions(N2, "n2"));
  assert.equal(takeover?.startedAtMs, 1_005_000);
  assert.deepEqual(
    takeover.steps.map(({ step }) => step),
    ["start VG", "start VIP"],
  );
  assert.equal(lastTakeover("home", "n1", ["VG"], parseActions(N1, "n1")), undefined);
});
