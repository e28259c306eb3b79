import assert from "node:assert/strict";
import { test } from "node:test";
import type { PlannedLoop } from "../client-plan.ts";
import type { DrillDocument } from "../document.ts";
import { judgeRun, type Subject } from "../judge.ts";
import type { ClientWindows, Measured, MeasuredRun } from "../measure.ts";
import { renderRun } from "../render.ts";
import { emptyLog, parseLog, type ProbeLog } from "../samples.ts";
import { FAULTS } from "./catalogue.ts";
import { casesOf } from "./fault-words.ts";
import { withFault, type FaultRun } from "./judge-fault.ts";

const SUBJECT: Subject = {
  scenario: "freeze-thaw",
  act: "the freeze",
  fileserver: "home",
  protocol: "v4.2",
  seed: 1,
  system: "holdfast",
  accelerator: "tcg",
};
const WINDOWS: ClientWindows = {
  window: { startUs: 10_000_000, endUs: 25_000_000 },
  span: { startUs: 0, endUs: 25_000_000 },
  quiet: { startUs: 0, endUs: 10_000_000 },
};

/** Silent from 11 s to 17 s. */
function log(extra = ""): ProbeLog {
  const whole = emptyLog();
  for (let timeMs = 0; timeMs <= 30_000; timeMs += 50)
    if (timeMs <= 11_000 || timeMs >= 17_000) whole.successes.push({ endUs: timeMs * 1000, durationUs: 900 });
  whole.errors.push(...parseLog(extra).errors);
  return whole;
}

const LOOP: PlannedLoop = {
  name: "home-write",
  kind: "write",
  directory: "/mnt",
  intervalMs: 50,
  client: 1,
  heldLocks: 0,
  machine: "c1",
  fileserver: "home",
  protocol: "v4.2",
  steadySuccesses: 1,
  settleSuccesses: 1,
};

function measured(extra?: string): { readonly all: Measured; readonly run: MeasuredRun } {
  const step = { node: "n2", outcome: "done" } as const;
  const run: MeasuredRun = {
    run: 1,
    from: "n1",
    to: "n2",
    timeline: {
      id: "t",
      kind: "takeover",
      fileserver: "home",
      node: "n2",
      startedAtMs: 1_000_000,
      outcome: "done",
      steps: [{ ...step, step: "open-address", startMs: 900, endMs: 1000 }],
    },
    timelineZeroUs: 15_000_000,
    actError: undefined,
    windows: new Map([["c1", WINDOWS]]),
    ...WINDOWS,
    notReturned: [],
    locksLost: 0,
    graceReasons: [],
  };
  const all: Measured = {
    runs: [run],
    clients: ["c1"],
    loops: new Map([["home-write", LOOP]]),
    logs: new Map([["home-write", log(extra)]]),
    writes: new Map([["home-write", { acknowledged: 0, lost: [] }]]),
    freeLocks: new Map(),
    counter: undefined,
    stoppedUs: new Map(),
    problems: [],
  };
  return { all, run };
}

function faultRun(parts: Partial<FaultRun> = {}): FaultRun {
  const [document] = FAULTS.filter(({ name }) => name === "freeze-thaw");
  const [fault] = document === undefined ? [] : casesOf(document, 1);
  assert.ok(fault !== undefined);
  return {
    fault,
    from: "n1",
    to: "n2",
    servers: { samples: 9, unservedMs: 4500, because: [] },
    thaw: { facts: { framesSoon: 1, framesLate: 3 }, because: ["n1 sent 3 frames"] },
    events: { detectedAtMs: 997_500, fencedAtMs: 999_000 },
    reasons: [],
    evidence: undefined,
    ...parts,
  };
}

function judged(fault: FaultRun, subject: Subject = SUBJECT, extra?: string): DrillDocument {
  const { all, run } = measured(extra);
  return withFault(judgeRun(subject, all, run, true), fault, all, run);
}

test("a node that was replaced may not go on; one that was not, may", () => {
  assert.deepEqual(judged(faultRun()).because, ["n1 sent 3 frames"]);
  const stayed = judged(faultRun({ to: "n1" }));
  assert.deepEqual([stayed.because, stayed.to, stayed.verdict], [[], "n1", "pass"]);
});

test("a thaw before the fence is told as such", () => {
  const thaw = { facts: { framesSoon: 2, framesLate: 0, fencedAfterThawMs: 3100 }, because: [] };
  const document = judged(faultRun({ thaw }));
  assert.deepEqual([document.fault?.thaw, document.verdict], [thaw.facts, "pass"]);
  const line = "  after the fence, 3100 ms after the thaw: 2 frames from the address within 500 ms, 0 later";
  assert.ok(renderRun(document).includes(line));
});

test("two servers fail it, and nowhere is told", () => {
  const servers = { samples: 2, unservedMs: 0, because: ["two servers: n1 and n2"] };
  const document = judged(faultRun({ servers, thaw: undefined, to: undefined }));
  assert.deepEqual([document.because, document.to], [["two servers: n1 and n2"], "nowhere"]);
});

test("the pause is taken apart, and a person reads it", () => {
  const document = judged(faultRun({ reasons: ["n1 is unclean"], evidence: "/tmp/evidence" }));
  assert.deepEqual(document.phases, {
    beforeTakeoverMs: 4000,
    detectMs: 1500,
    fenceMs: 1500,
    decideMs: 1000,
    takeoverMs: 1000,
    clientMs: 1000,
  });
  const lines = renderRun(document);
  for (const line of [
    "  fault: freeze-thaw, 2s; nobody served for 4500 ms",
    "  of the longest: 4000 ms before the takeover (detect 1500, fence 1500, decide 1000), takeover 1000, client 1000",
    "  after the thaw: 1 frames from the address within 500 ms, 3 later",
    "  not served: n1 is unclean",
    "  evidence: /tmp/evidence",
  ])
    assert.ok(lines.includes(line), lines.join("\n"));
});

test("errors that a fault may bring are no loss; any other is", () => {
  const full = "e 12000000 9 write ENOSPC ENOSPC: no space left\n";
  const calm = faultRun({ thaw: undefined });
  assert.match(judged(calm, SUBJECT, full).because[0] ?? "", /applications saw 1 errors/);
  const allowing = { ...SUBJECT, allowedErrors: ["ENOSPC"] };
  assert.deepEqual(judged(calm, allowing, full).because, []);
  const io = "e 12000000 9 write EIO EIO: i/o error\n";
  assert.equal(judged(calm, allowing, full + io).oracle.errorsSeenByApplications, 1);
});
