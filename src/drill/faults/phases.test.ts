import assert from "node:assert/strict";
import { test } from "node:test";
import type { Timeline } from "../../wire/timeline.ts";
import { parseEngineEvents, phasesOf } from "./phases.ts";

const JOURNAL = `1795000100.000100 n2 corosync[612]:   [TOTEM ] A processor failed, forming new configuration: token timed out (1000ms), waiting 1200ms for consensus.
1795000101.300000 n2 corosync[612]:   [TOTEM ] A new membership (2.1f) was formed. Members left: 1
1795000102.000000 n2 pacemaker-fenced[700]:  notice: Operation 'reboot' targeting n3 by n2 for pacemaker-controld.704@n2: OK (complete)
1795000500.250000 n2 corosync[612]:   [TOTEM ] A processor failed, forming new configuration: token timed out (1000ms), waiting 1200ms for consensus.
1795000501.500000 n2 corosync[612]:   [QUORUM] Members[1]: 2
1795000501.510000 n2 corosync[612]:   [TOTEM ] A new membership (2.2a) was formed. Members left: 1
1795000501.900000 n2 pacemaker-fenced[700]:  notice: Requesting peer fencing (reboot) targeting n1
1795000502.750000 n2 pacemaker-fenced[700]:  notice: Operation 'reboot' targeting n1 by n2 for pacemaker-controld.704@n2: OK (complete)
1795000999.000000 n2 pacemaker-fenced[700]:  notice: Operation 'reboot' targeting n1 by n2 for pacemaker-controld.704@n2: OK (complete)
`;
const TAKEN_MS = 1_795_000_503_000;

test("when the survivor noticed and when it had fenced, of this fault and of no other", () => {
  const { detectedAtMs, fencedAtMs } = parseEngineEvents(JOURNAL, "n1", TAKEN_MS);
  assert.equal(Math.round(detectedAtMs ?? 0), 1_795_000_500_250);
  assert.equal(Math.round(fencedAtMs ?? 0), 1_795_000_502_750);
  assert.equal(parseEngineEvents(JOURNAL, "n1", 1_795_000_400_000).fencedAtMs, undefined);
  assert.deepEqual(parseEngineEvents("-- No entries --\n", "n1", TAKEN_MS), {});
  const failed = JOURNAL.replaceAll("OK (complete)", "No such device");
  assert.equal(parseEngineEvents(failed, "n1", TAKEN_MS).fencedAtMs, undefined);
});

const TIMELINE: Timeline = {
  id: "t",
  kind: "takeover",
  fileserver: "home",
  node: "n2",
  startedAtMs: TAKEN_MS,
  outcome: "done",
  steps: [
    { step: "mount-volume:data", node: "n2", startMs: 100, endMs: 800, outcome: "done" },
    { step: "open-address", node: "n2", startMs: 900, endMs: 1000, outcome: "done" },
    { step: "notify-clients", node: "n2", startMs: 1000, endMs: 1500, outcome: "done" },
  ],
};
/** The client counts from its own boot; its last success was 1.75 s before the token was lost. */
const ZERO_US = 44_500_000;
const PAUSE = { pauseMs: 6_400, normalIntervalMs: 40, gapStartUs: 40_000_000, gapEndUs: 46_400_000 };

test("the parts add up to the gap", () => {
  const events = parseEngineEvents(JOURNAL, "n1", TAKEN_MS);
  const phases = phasesOf({ pause: PAUSE, timeline: TIMELINE, zeroUs: ZERO_US, events });
  assert.deepEqual(phases, {
    beforeTakeoverMs: 4500,
    detectMs: 1750,
    fenceMs: 2500,
    decideMs: 250,
    takeoverMs: 1000,
    clientMs: 900,
  });
});

test("without the journal only what the timeline tells; a takeover outside the pause explains nothing", () => {
  const facts = { pause: PAUSE, timeline: TIMELINE, zeroUs: ZERO_US, events: {} };
  assert.deepEqual(phasesOf(facts), { beforeTakeoverMs: 4500, takeoverMs: 1000, clientMs: 900 });
  assert.equal(phasesOf({ ...facts, zeroUs: 39_000_000 }), undefined);
  assert.equal(phasesOf({ ...facts, zeroUs: 45_900_000 }), undefined);
  assert.equal(phasesOf({ ...facts, timeline: { ...TIMELINE, steps: [] } }), undefined);
});
