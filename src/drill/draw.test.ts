import assert from "node:assert/strict";
import { test } from "node:test";
import { matchesGolden } from "../../tests/golden.ts";
import type { Timeline, TimelineStep } from "../wire/timeline.ts";
import { drawMove } from "./draw-move.ts";
import { drawClient, drawTimeline, terminalSettings } from "./draw.ts";
import { emptyLog, type ProbeLog } from "./samples.ts";

type Row = readonly [step: string, node: string, startMs: number, endMs: number, outcome?: TimelineStep["outcome"]];

const ROWS: readonly Row[] = [
  ["silence-address", "n1", 20, 35],
  ["stop-nfsd", "n1", 35, 310],
  ["unmount-volume:data", "n1", 310, 420],
  ["deactivate-volume:data", "n1", 420, 540],
  ["make-namespace", "n2", 0, 0, "already"],
  ["reserve-lun:data", "n2", 545, 610],
  ["activate-volume:data", "n2", 610, 980],
  ["mount-volume:data", "n2", 980, 1160],
  ["start-nfsdcld", "n2", 1160, 1250],
  ["start-statd", "n2", 1160, 1300],
  ["start-nfsd", "n2", 1300, 1620],
  ["open-address", "n2", 1620, 1625],
  ["tickle-connections", "n2", 1625, 1700],
];

function timeline(rows: readonly Row[], outcome: Timeline["outcome"] = "done"): Timeline {
  const steps = rows.map(([step, node, startMs, endMs, how]) => ({
    step,
    node,
    startMs,
    endMs,
    outcome: how ?? "done",
  }));
  return { id: "m1", kind: "move", fileserver: "home", node: "n2", startedAtMs: 0, outcome, steps };
}

test("a move's timeline, wide and narrow, in blocks and in ASCII", () => {
  matchesGolden("drill/timeline-wide.txt", drawTimeline(timeline(ROWS), { width: 100, unicode: true }));
  matchesGolden("drill/timeline-narrow.txt", drawTimeline(timeline(ROWS), { width: 60, unicode: false }));
});

test("a failed step and its reasons are drawn", () => {
  const rows: readonly Row[] = [
    ...ROWS.slice(0, 7),
    ["mount-volume:data", "n2", 980, 2980, "failed"],
    ["start-nfsd", "n2", 2980, 2980, "skipped"],
  ];
  const failed = {
    ...timeline(rows, "failed"),
    because: ["mount-volume:data overran 2 s", "the disk does not answer"],
  };
  matchesGolden("drill/timeline-failed.txt", drawTimeline(failed, { width: 80, unicode: false }));
});

test("no line is wider than asked for", () => {
  for (const width of [50, 72, 120]) {
    for (const line of drawTimeline(timeline(ROWS), { width, unicode: true }).split("\n"))
      assert.ok(line.length <= width, line);
  }
});

test("a timeline without steps is drawn without falling over", () => {
  assert.match(drawTimeline(timeline([]), { width: 60, unicode: false }), /^move of home to n2: done/);
});

function logWith(timesMs: readonly number[], errorsMs: readonly number[] = []): ProbeLog {
  const log = emptyLog();
  for (const timeMs of timesMs) log.successes.push({ endUs: timeMs * 1000, durationUs: 10 });
  for (const timeMs of errorsMs)
    log.errors.push({ endUs: timeMs * 1000, durationUs: 10, operation: "open", code: "EIO", text: "" });
  return log;
}

test("what the client saw: dots, the gap, an error", () => {
  const steady = Array.from({ length: 100 }, (_, index) => index * 60);
  const gap = (startMs: number, endMs: number): number[] =>
    steady.filter((timeMs) => timeMs < startMs || timeMs > endMs);
  const logs = new Map([
    ["home-write", logWith(gap(1200, 2900))],
    ["home-open", logWith(gap(1200, 3000), [3050])],
    ["media-write", logWith(steady)],
  ]);
  const window = { startUs: 1_000_000, endUs: 4_000_000 };
  matchesGolden("drill/client.txt", drawClient(logs, "home", window, { width: 80, unicode: false }));
});

test("blocks only where the locale can show them", () => {
  assert.deepEqual(terminalSettings(90, { LANG: "C.UTF-8" }), { width: 90, unicode: true });
  assert.deepEqual(terminalSettings(undefined, { LANG: "C" }), { width: 100, unicode: false });
  assert.equal(terminalSettings(20, {}).width, 50);
  assert.equal(terminalSettings(90, { LC_ALL: "C", LANG: "C.UTF-8" }).unicode, false);
});

test("one picture of a move: the client's gap over the steps that made it", () => {
  const steady = Array.from({ length: 200 }, (_, index) => index * 40);
  const logs = new Map([
    ["home-write", logWith(steady.filter((timeMs) => timeMs < 2060 || timeMs > 3790))],
    ["home-lock", logWith(steady.filter((timeMs) => timeMs < 2060 || timeMs > 4100))],
  ]);
  const window = { startUs: 1_500_000, endUs: 7_000_000 };
  const picture = { fileserver: "home", logs, window, timeline: timeline(ROWS), timelineZeroUs: 2_000_000 };
  matchesGolden("drill/move.txt", drawMove(picture, { width: 100, unicode: true }));
  const step = { node: "c1", outcome: "done" } as const;
  const wayBack = [
    { ...step, step: "client-reconnect", startMs: 1700, endMs: 1760 },
    { ...step, step: "client-reclaim", startMs: 1760, endMs: 2040 },
  ];
  matchesGolden("drill/move-way-back.txt", drawMove({ ...picture, wayBack }, { width: 100, unicode: true }));
  const apart = drawMove({ ...picture, timelineZeroUs: undefined }, { width: 80, unicode: false });
  assert.match(apart, /what the client of home saw[^]*move of home to n2: done/);
  assert.doesNotMatch(drawMove({ ...picture, timeline: undefined }, { width: 80, unicode: false }), /move of/);
});
