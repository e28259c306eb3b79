import assert from "node:assert/strict";
import { test } from "node:test";
import { matchesGolden } from "../../tests/golden.ts";
import type { TimelineStep } from "../wire/timeline.ts";
import { reportOf, type DrillDocument, type Pauses } from "./document.ts";
import { judge } from "./judge.ts";
import type { PlannedLoop } from "./client-plan.ts";
import type { ClientWindows, Measured, MeasuredRun } from "./measure.ts";
import type { LoopKind, Protocol } from "./names.ts";
import { renderRun, renderSummary } from "./render.ts";
import { emptyLog, parseLog, type ProbeLog } from "./samples.ts";

const SUBJECT = {
  scenario: "planned-move",
  act: "the move",
  fileserver: "home",
  protocol: "v4.2",
  seed: 1,
  system: "holdfast",
  accelerator: "tcg",
} as const;

/** Successes every 50 ms from 0 to 30 s but for the gap; those of a lock loop say how many locks it holds. */
function logWithGap(startMs: number, endMs: number, held?: number): ProbeLog {
  const log = emptyLog();
  for (let timeMs = 0; timeMs <= 30_000; timeMs += 50) {
    if (timeMs <= startMs || timeMs >= endMs) {
      log.successes.push({ endUs: timeMs * 1000, durationUs: 900, sequence: held ?? log.successes.length });
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
        { ...step, step: "hold-requests", startMs: 90, endMs: 100 },
        { ...step, step: "open-address", startMs: 1700, endMs: 1780 },
      ],
    },
    timelineZeroUs: 10_950_000,
    actError: undefined,
    windows: new Map([[CLIENT, WINDOWS]]),
    ...WINDOWS,
    notReturned: [],
    locksLost: 0,
    graceReasons: [],
    ...parts,
  };
}

const CLIENT = "c1";
const WINDOWS: ClientWindows = {
  window: { startUs: 10_000_000, endUs: 20_000_000 },
  span: { startUs: 0, endUs: 20_000_000 },
  quiet: { startUs: 2_000_000, endUs: 10_000_000 },
};

/** "home-write" of c1 over v4.2, unless the parts say otherwise. */
function loop(name: string, parts: Partial<PlannedLoop> = {}): PlannedLoop {
  const [fileserver = "", kind = ""] = name.split("-");
  const numbers = { intervalMs: 50, client: 1, heldLocks: 0, steadySuccesses: 1, settleSuccesses: 1 };
  const place = { machine: CLIENT, protocol: "v4.2", directory: "/mnt" } as const;
  return { name, fileserver, kind: kind as LoopKind, ...numbers, ...place, ...parts };
}

function measured(parts: Partial<Measured> = {}): Measured {
  const logs = new Map([
    ["home-write", logWithGap(11_000, 12_800)],
    ["home-read", logWithGap(11_000, 12_750)],
    ["home-open", logWithGap(11_000, 12_850)],
    ["home-lock", logWithGap(11_000, 12_950, 8)],
  ]);
  const writes = new Map([["home-write", { acknowledged: 560, lost: [] }]]);
  const loops = new Map([...(parts.logs ?? logs).keys()].map((name) => [name, loop(name)] as const));
  const end = {
    writes,
    freeLocks: new Map<string, number>(),
    counter: undefined,
    stoppedUs: new Map<string, number>(),
  };
  return { runs: [run()], clients: [CLIENT], loops, logs, ...end, problems: [], ...parts };
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

const WAY_BACK: readonly TimelineStep[] = [
  {
    step: "client-reconnect",
    node: CLIENT,
    startMs: 1780,
    endMs: 1815,
    outcome: "done",
    detail: "connects after 7 ms",
  },
  { step: "client-session", node: CLIENT, startMs: 1815, endMs: 1840, outcome: "done" },
  { step: "client-reclaim", node: CLIENT, startMs: 1840, endMs: 1930, outcome: "done", detail: "5 opens, 8 locks" },
];

test("the client's way back stands in the timeline behind the opening, and is explained", () => {
  const document = only(judge(SUBJECT, measured({ runs: [run({ wayBack: WAY_BACK })] })));
  assert.deepEqual(document.timeline.slice(2), WAY_BACK);
  const { explainedMs, unexplainedMs, beforeSilenceMs, afterOpenMs, wayBackMs } = document;
  assert.deepEqual([explainedMs, unexplainedMs, wayBackMs], [1830, 70, 150]);
  assert.deepEqual([beforeSilenceMs, afterOpenMs], [50, 220]);
  matchesGolden("drill/run-way-back.txt", renderRun(document).join("\n"));
  const unclocked = run({ wayBack: WAY_BACK, timelineZeroUs: undefined });
  assert.match(
    renderRun(only(judge(SUBJECT, measured({ runs: [unclocked] })))).join("\n"),
    /1680 ms silent by the timeline, 150 ms of the client's way back, 70 ms beside it/,
  );
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
    name: "locks that are free in the end",
    parts: () => withLoop("home-held", "s 9000000 1 25\n", { freeLocks: new Map([["home-held", 4]]) }),
    because: /4 locks of home-held were free in the end/,
  },
  {
    name: "a holder that gets EIO",
    parts: () => withLoop("home-held", "s 9000000 1 25\ne 12000000 1 write EIO i/o error\n"),
    because: /home-held got EIO: its client gave 25 locks up/,
  },
  {
    name: "a lock that a second client gets",
    parts: () => withLoop("home-steal", "e 12000000 1 lock EGRANTEDTWICE byte 4 of /mnt/x\n"),
    because: /home-steal was granted 1 locks that others held: byte 4/,
  },
  {
    name: "a counter that is given a value twice",
    parts: () => withLoop("home-count", "s 9000000 1 1\ns 12000000 1 1\n", { counter: 1 }),
    because: /counter under a lock was given 1 values twice, the first 1 to home-count/,
  },
  {
    name: "a counter that has lost a value",
    parts: () => withLoop("home-count", "s 9000000 1 1\ns 12000000 1 2\n", { counter: 1 }),
    because: /counter under a lock misses 1 values: 2/,
  },
  {
    name: "a stale read",
    parts: () => withLoop("home-watch", "e 12000000 1 read ESTALECONTENT tick.dat is 3, seen before was 9\n"),
    because: /tick.dat is 3, seen before was 9/,
  },
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

function withLoop(name: string, log: string, parts: Partial<Measured> = {}): Partial<Measured> {
  return { logs: new Map([...measured().logs, [name, parseLog(log)]]), ...parts };
}

for (const { name, parts, because } of failures) {
  test(`the verdict is "fail" for ${name}`, () => {
    const document = only(judge(SUBJECT, measured(parts())));
    assert.equal(document.verdict, "fail");
    assert.match(document.because.join("\n"), because);
    assert.match(renderRun(document).join("\n"), because);
  });
}

test("each oracle that failed is named, and none where nothing is wrong", () => {
  const failed = (parts: Partial<Measured>): readonly string[] => only(judge(SUBJECT, measured(parts))).oraclesFailed;
  const lost = (how: "torn" | "absent"): Partial<Measured> => ({
    writes: new Map([["home-write", { acknowledged: 560, lost: [{ sequence: 40, how }] }]]),
  });
  assert.deepEqual(failed({}), []);
  assert.deepEqual(failed(lost("absent")), ["lost-write"]);
  assert.deepEqual(failed(lost("torn")), ["torn-write"]);
  assert.deepEqual(failed(withLoop("home-held", "", { freeLocks: new Map([["home-held", 4]]) })), ["lost-lock"]);
  assert.deepEqual(failed(withLoop("home-steal", "e 12000000 1 lock EGRANTEDTWICE byte 4\n")), [
    "lost-lock",
    "granted-twice",
  ]);
  assert.deepEqual(failed(withLoop("home-count", "s 9000000 1 1\ns 12000000 1 1\n", { counter: 1 })), [
    "granted-twice",
  ]);
  assert.deepEqual(failed(withLoop("home-watch", "e 12000000 1 read ESTALECONTENT old\n")), ["stale-read"]);
  assert.deepEqual(failed(withLoop("home-held", "s 1 1 9\ne 12000000 1 write EIO io\n")), [
    "lost-lock",
    "application-error",
  ]);
});

test("locks are counted by the reports of their holders at the moment of the fault", () => {
  const { oracle } = only(
    judge(SUBJECT, measured(withLoop("home-held", "s 1000000 1 40\ns 9000000 1 50\ns 15000000 1 48\n"))),
  );
  assert.equal(oracle.locksHeld, 8 + 50);
  assert.equal(oracle.locksLost, 0);
});

test("a lock that was got over three mounts was granted three times, and lost once", () => {
  const line = (at: number, protocol: string): string =>
    `e ${at} 1 lock EGRANTEDTWICE byte 4 of /mnt/holdfast/home-${protocol}/holdfast-drill/x/c2-v3-held/held-7.lock, which another holds\n`;
  const log = line(12_000_000, "v3") + line(13_000_000, "v4.1") + line(14_000_000, "v4.2") + line(15_000_000, "v3");
  const { oracle } = only(judge(SUBJECT, measured(withLoop("home-steal", log))));
  assert.deepEqual([oracle.grantedTwice, oracle.locksLost], [3, 1]);
});

test("a lock that was got after its holder had been told to stop is no loss", () => {
  const got = withLoop("home-steal", "e 25000000 1 lock EGRANTEDTWICE byte 4\n");
  const twice = (stoppedUs: number): number =>
    only(judge(SUBJECT, measured({ ...got, stoppedUs: new Map([[CLIENT, stoppedUs]]) }))).oracle.grantedTwice;
  assert.equal(twice(24_000_000), 0);
  assert.equal(twice(26_000_000), 1);
});

test("each client has its own clock: the same moment lies in one's window and not in the other's", () => {
  const late = { window: { startUs: 1_000_000_000, endUs: 1_010_000_000 }, span: { startUs: 0, endUs: 1_010_000_000 } };
  const windows = new Map([
    [CLIENT, WINDOWS],
    ["c2", { ...WINDOWS, ...late }],
  ]);
  const logs = new Map([
    ...measured().logs,
    ["home-steal", parseLog("e 900000000 1 lock EGRANTEDTWICE byte 4\n")] as const,
  ]);
  const loops = (machine: string): ReadonlyMap<string, PlannedLoop> =>
    new Map([...logs.keys()].map((name) => [name, loop(name, name === "home-steal" ? { machine } : {})] as const));
  const second = run({ run: 2, windows, span: { startUs: 20_000_000, endUs: 30_000_000 } });
  const judged = (machine: string): readonly number[] =>
    judge(SUBJECT, measured({ logs, loops: loops(machine), runs: [run({ windows }), second] })).map(
      ({ oracle }) => oracle.grantedTwice,
    );
  assert.equal(judged("c2")[0], 1);
  assert.equal(judged(CLIENT)[0], 0);
});

test("over several protocols each has its own return, and each its own limit", () => {
  const names = ["write", "open", "lock"].flatMap((kind) => [`home-${kind}-v3`, `home-${kind}-v4.1`]);
  const back: Readonly<Record<string, number>> = {
    "home-lock-v3": 17_800,
    "home-lock-v4.1": 13_000,
    "home-open-v3": 12_850,
  };
  const logs = new Map(names.map((name) => [name, logWithGap(11_000, back[name] ?? 12_800)]));
  const loops = new Map(
    names.map((name) => [name, loop(name, { protocol: name.endsWith("v3") ? "v3" : "v4.1" })] as const),
  );
  const parts = { logs, loops, writes: new Map() };
  const document = only(judge({ ...SUBJECT, protocol: "all" }, measured(parts)));
  assert.deepEqual(document.newLockAfterReturnMsByProtocol, { v3: 5000, "v4.1": 200 });
  assert.deepEqual(document.newOpenAfterReturnMsByProtocol, { v3: 50, "v4.1": 0 });
  assert.equal(document.newLockAfterReturnMs, 5000);
  assert.equal(document.pauseMs.lock, 6750);
  assert.equal(document.verdict, "pass");
  const afterReturnLimitsMs = { v3: 4000, "v4.1": 1000 };
  assert.deepEqual(only(judge({ ...SUBJECT, afterReturnLimitsMs }, measured(parts))).because, [
    "the first new lock over v3 came 5000 ms after data, over 4000 ms",
  ]);
});

test("errors and losses belong to the run in which they happened", () => {
  const error = { endUs: 25_000_000, durationUs: 1, operation: "open", code: "EIO", text: "" };
  const { logs } = measured();
  logs.get("home-open")?.errors.push(error);
  const windows: ClientWindows = {
    ...WINDOWS,
    window: { startUs: 22_000_000, endUs: 26_000_000 },
    span: { startUs: 20_000_000, endUs: 26_000_000 },
  };
  const second = run({ run: 2, ...windows, windows: new Map([[CLIENT, windows]]) });
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
