import assert from "node:assert/strict";
import { test } from "node:test";
import type { TimelineStep } from "../../wire/timeline.ts";
import type { CrowdStatus, MemberStatus } from "./config.ts";
import { judgeCrowd, type CrowdRun } from "./judge-crowd.ts";
import { crowdAddresses } from "./session.ts";

const ADDRESSES = ["10.77.0.101", "10.77.0.102", "10.77.0.103"];

function member(address: string, parts: Partial<MemberStatus> = {}): MemberStatus {
  return { address, phase: "holding", states: [], reclaims: 0, notifiedUs: 0, reclaimedUs: 0, trouble: "", ...parts };
}

function crowd(parts: Partial<MemberStatus>, first: Partial<MemberStatus> = {}): CrowdStatus {
  return {
    nowUs: 0,
    members: ADDRESSES.map((address, at) => member(address, at === 0 ? { ...parts, ...first } : parts)),
  };
}

function step(name: string, startMs: number, endMs: number, node = "n1"): TimelineStep {
  return { step: name, node, startMs, endMs, outcome: "done" };
}

function run(parts: Partial<CrowdRun> = {}, steps: readonly TimelineStep[] = []): CrowdRun {
  return {
    from: "n1",
    before: crowd({ states: [3], reclaims: 1 }),
    after: crowd(
      { states: [3, 5], reclaims: 2, notifiedUs: 2_000_000, reclaimedUs: 2_500_000 },
      { notifiedUs: 1_900_000 },
    ),
    recordsBefore: [...ADDRESSES, "c1"],
    recordsAfter: ADDRESSES,
    timeline: {
      id: "m",
      kind: "move",
      fileserver: "home",
      node: "n2",
      startedAtMs: 0,
      outcome: "done",
      steps: [
        step("sync-volumes", 0, 900),
        step("hold-requests", 850, 900),
        step("stop-nfsd", 960, 1400),
        step("release-luns:data", 1400, 1500),
        step("open-address", 1600, 1700, "n2"),
        ...steps,
      ],
    },
    ...parts,
  };
}

test("a stop that kept everything", () => {
  const { facts, because } = judgeCrowd(run(), 1);
  assert.deepEqual(because, []);
  assert.deepEqual(facts, {
    clients: 3,
    recordsBefore: 3,
    recordsAfter: 3,
    notified: 3,
    reclaimed: 3,
    locksLost: 0,
    releaseMs: 600,
    slowestReleaseStep: { step: "sync-volumes", durationMs: 900, boundMs: 60_000 },
    notifyingMs: 100,
    reclaimingMs: 600,
  });
});

test("each thing that is lost is named", () => {
  const lines = (parts: Partial<CrowdRun>): readonly string[] => judgeCrowd(run(parts), 1).because;
  assert.deepEqual(lines({ recordsBefore: ADDRESSES.slice(1) }), [
    "10.77.0.101 has no record at statd before the stop",
  ]);
  assert.deepEqual(lines({ recordsAfter: [] }), ["10.77.0.101 has no record at statd after the stop, and 2 others"]);
  const lost = crowd(
    { states: [3, 5], reclaims: 2 },
    { phase: "lost", reclaims: 1, trouble: "reclaim: denied-grace-period" },
  );
  assert.deepEqual(lines({ after: lost }), ["10.77.0.101 did not get its lock back (reclaim: denied-grace-period)"]);
  assert.equal(judgeCrowd(run({ after: lost }), 1).facts.locksLost, 1);
  const untold = crowd({ states: [3, 5], reclaims: 2 }, { states: [3], reclaims: 1 });
  assert.deepEqual(lines({ after: untold }), ["10.77.0.101 was not notified", "10.77.0.101 did not get its lock back"]);
});

test("a state number that is even or no higher than the one before", () => {
  for (const state of [4, 3, 1]) {
    const after = crowd({ states: [3, 5], reclaims: 2 }, { states: [3, state], reclaims: 2 });
    assert.deepEqual(judgeCrowd(run({ after }), 1).because, [
      `10.77.0.101 was notified with state ${state}, the one before was 3`,
    ]);
  }
});

test("a stall of 61 s is over the step's bound and the release's, whatever the scale", () => {
  const stalled = run({}, [step("stop-daemons", 1400, 62_400)]);
  assert.deepEqual(judgeCrowd(stalled, 10).because, [
    "stop-daemons took 61000 ms, over its bound of 50000 ms",
    "the release took 61500 ms, over 20000 ms",
  ]);
  assert.deepEqual(judgeCrowd(run({}, [step("kill-statd", 1000, 5_000)]), 10).because, []);
  assert.deepEqual(judgeCrowd(run({}, [step("kill-statd", 1000, 5_000)]), 1).because, [
    "kill-statd took 4000 ms, over its bound of 2000 ms",
  ]);
});

test("addresses beside the client's own, or a refusal", () => {
  assert.deepEqual(crowdAddresses("10.77.0.21/24", 2), ["10.77.0.101/24", "10.77.0.102/24"]);
  assert.equal(crowdAddresses("10.77.0.21/16", 100).at(-1), "10.77.0.200/16");
  for (const own of ["10.77.0.21/25", "fd77::21/64", ""])
    assert.throws(() => crowdAddresses(own, 100), { code: "crowd-no-room" });
});
