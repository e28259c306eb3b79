import assert from "node:assert/strict";
import { test } from "node:test";
import { matchesGolden } from "../../tests/golden.ts";
import { reportOf, type DrillDocument, type Pauses } from "./document.ts";
import { judge } from "./judge.ts";
import type { Measured, MeasuredRun } from "./measure.ts";
import type { Protocol } from "./names.ts";
import { renderRun, renderSummary } from "./render.ts";
import { emptyLog, type ProbeLog } from "./samples.ts";

const SUBJECT = {
  scenario: "planned-move",
  act: "the move",
  fileserver: "home",
  protocol: "v4.2",
  seed: 1,
  system: "holdfast",
  accelerator: "tcg",
  locksHeld: 8,
} as const;

/** Successes every 50 ms from 0 to 30 s but for the gap. */
function logWithGap(startMs: number, endMs: number): ProbeLog {
  const log = emptyLog();
  for (let timeMs = 0; timeMs <= 30_000; timeMs += 50) {
    if (timeMs <= startMs || timeMs >= endMs) {
      log.successes.push({ endUs: timeMs * 1000, durationUs: 900, sequence: log.successes.length });
    }
  }
  log.endedUs = 30_000_000;
  return log;
}

function run(parts: Partial<MeasuredRun> = {}): MeasuredRun {
  const step = { node: "n2", outcome: "done" } as const;
  return {
    run: 1,
    from: "n1",
    to: "n2",
    timeline: {
      id: "m",
      kind: "move",
      fileserver: "home",
      node: "n2",
      startedAtMs: 0,
      outcome: "done",
      steps: [
        { ...step, step: "hold-requests", startMs: 100, endMs: 110 },
        { ...step, step: "open-address", startMs: 1700, endMs: 1780 },
      ],
    },
    timelineZeroUs: 10_950_000,
    actError: undefined,
    window: { startUs: 10_000_000, endUs: 20_000_000 },
    span: { startUs: 0, endUs: 20_000_000 },
    quiet: { startUs: 2_000_000, endUs: 10_000_000 },
    notReturned: [],
    locksLost: 0,
    ...parts,
  };
}

function measured(parts: Partial<Measured> = {}): Measured {
  const logs = new Map([
    ["home-write", logWithGap(11_000, 12_800)],
    ["home-read", logWithGap(11_000, 12_750)],
    ["home-open", logWithGap(11_000, 12_850)],
    ["home-lock", logWithGap(11_000, 12_950)],
  ]);
  const writes = new Map([["home-write", { acknowledged: 560, lost: [] }]]);
  return { runs: [run()], logs, writes, problems: [], ...parts };
}

function only(documents: readonly DrillDocument[]): DrillDocument {
  assert.equal(documents.length, 1);
  return documents[0] as DrillDocument;
}

test("a good run passes, with the fields that others read", () => {
  const document = only(judge(SUBJECT, measured()));
  assert.deepEqual(document.pauseMs, { write: 1750, read: 1700, open: 1800, lock: 1900 });
  assert.equal(document.newOpenAfterReturnMs, 100);
  assert.equal(document.newLockAfterReturnMs, 200);
  assert.equal(document.explainedMs, 1680);
  assert.equal(document.unexplainedMs, 220);
  assert.equal(document.beforeSilenceMs, 50);
  assert.equal(document.afterOpenMs, 220);
  assert.deepEqual(document.because, []);
  assert.equal(document.verdict, "pass");
  matchesGolden("drill/run.txt", renderRun(document).join("\n"));
});

const failures: readonly { name: string; parts: () => Partial<Measured>; because: RegExp }[] = [
  {
    name: "an application error",
    parts: () => {
      const { logs } = measured();
      const error = { endUs: 12_000_000, durationUs: 1, operation: "write", code: "EIO", text: "" };
      logs.get("home-write")?.errors.push(error);
      return { logs };
    },
    because: /applications saw 1 errors: home-write: write EIO/,
  },
  {
    name: "a lost acknowledged write",
    parts: () => ({ writes: new Map([["home-write", { acknowledged: 560, lost: [{ sequence: 40, how: "torn" }] }]]) }),
    because: /1 acknowledged writes of home-write were lost: 40 torn/,
  },
  {
    name: "a hole in the acknowledgements",
    parts: () => ({
      writes: new Map([["home-write", { acknowledged: 560, lost: [{ sequence: 9999, how: "absent" }] }]]),
    }),
    because: /log of acknowledgements has 1 holes/,
  },
  { name: "lost locks", parts: () => ({ runs: [run({ locksLost: 3 })] }), because: /3 locks lost/ },
  {
    name: "a failed move",
    parts: () => ({ runs: [run({ actError: "n2 is gone", timeline: undefined })] }),
    because: /n2 is gone/,
  },
  {
    name: "a probe that stayed away",
    parts: () => ({ runs: [run({ notReturned: ["home-lock"] })] }),
    because: /home-lock did not come back/,
  },
  {
    name: "a pause that cannot be known",
    parts: () => ({ logs: new Map([["home-write", emptyLog()]]) }),
    because: /pause of write could not be measured/,
  },
  {
    name: "writes that could not be read back",
    parts: () => ({ problems: ["could not read"] }),
    because: /could not read/,
  },
];

for (const { name, parts, because } of failures) {
  test(`the verdict is "fail" for ${name}`, () => {
    const document = only(judge(SUBJECT, measured(parts())));
    assert.equal(document.verdict, "fail");
    assert.match(document.because.join("\n"), because);
    assert.match(renderRun(document).join("\n"), because);
  });
}

test("errors and losses belong to the run in which they happened", () => {
  const error = { endUs: 25_000_000, durationUs: 1, operation: "open", code: "EIO", text: "" };
  const { logs } = measured();
  logs.get("home-open")?.errors.push(error);
  const second = run({
    run: 2,
    window: { startUs: 22_000_000, endUs: 26_000_000 },
    span: { startUs: 20_000_000, endUs: 26_000_000 },
  });
  const documents = judge(SUBJECT, measured({ logs, runs: [run(), second] }));
  assert.deepEqual(
    documents.map((one) => one.verdict),
    ["pass", "fail"],
  );
});

test("a neighbour that waits too long fails the run, one that hardly waits does not", () => {
  const withNeighbour = (gapMs: number): DrillDocument => {
    const { logs } = measured();
    const all = new Map([...logs, ["media-write", logWithGap(11_000, 11_000 + gapMs)] as const]);
    const subject = { ...SUBJECT, scenario: "neighbour", neighbour: { fileserver: "media", limitMs: 300 } };
    return only(judge(subject, measured({ logs: all })));
  };
  assert.deepEqual(withNeighbour(300).neighbourPauseMs, { write: 250 });
  assert.deepEqual(withNeighbour(300).neighbourBaselineMs, { write: 0 });
  assert.equal(withNeighbour(300).verdict, "pass");
  assert.match(withNeighbour(500).because.join(), /media's client waited 450 ms in write, over 300 ms/);
});

function document(protocol: Protocol, pauseMs: Pauses): DrillDocument {
  return { ...only(judge(SUBJECT, measured())), protocol, pauseMs };
}

test("the summary is per probe, over all runs and per protocol", () => {
  const v3 = [1000, 1200, 1100].map((write) => document("v3", { write }));
  const report = reportOf([...v3, document("v4.2", { write: 2000, lock: 2100 })]);
  assert.deepEqual(report.summary.write, { medianMs: 1100, p90Ms: 2000, maxMs: 2000 });
  assert.deepEqual(report.summaryByProtocol.v3?.write, { medianMs: 1100, p90Ms: 1200, maxMs: 1200 });
  assert.equal(report.summary.read, undefined);
  assert.equal(report.verdict, "pass");
  matchesGolden("drill/summary.txt", renderSummary(report).join("\n"));
});

test("no run is no proof", () => assert.equal(reportOf([]).verdict, "fail"));
