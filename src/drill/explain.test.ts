import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Timeline, TimelineStep } from "../wire/timeline.ts";
import { explainPause, silenceOf } from "./explain.ts";

function timeline(...steps: readonly (readonly [string, number, number])[]): Timeline {
  const all = steps.map(([step, startMs, endMs]): TimelineStep => ({
    step,
    node: "n1",
    startMs,
    endMs,
    outcome: "done",
  }));
  return { id: "1", kind: "move", fileserver: "home", node: "n2", startedAtMs: 0, outcome: "done", steps: all };
}

test("the explained pause is from the first silence to the last opening", () => {
  const moved = timeline(
    ["put-state-aside", 0, 90],
    ["hold-requests", 90, 100],
    ["stop-nfsd", 110, 400],
    ["open-address:10.77.0.50", 1500, 1540],
    ["open-address:fd77::50", 1500, 1560],
    ["tickle-connections", 1560, 1600],
    ["end-grace", 1600, 2400],
  );
  assert.deepEqual(silenceOf(moved), { startMs: 100, endMs: 1600 });
});

test("a timeline that lacks silence or opening explains nothing", () => {
  assert.equal(silenceOf(timeline(["open-address", 10, 20])), undefined);
  assert.equal(silenceOf(timeline(["hold-requests", 10, 20])), undefined);
  assert.equal(silenceOf(timeline(["hold-requests", 0, 1], ["open-addresses", 10, 20])), undefined);
});

test("with both clocks the pause falls into three parts", () => {
  const moved = timeline(["hold-requests", 90, 100], ["open-address", 1500, 1560]);
  const pause = { pauseMs: 1650, normalIntervalMs: 50, gapStartUs: 10_060_000, gapEndUs: 11_760_000 };
  const shorter = { ...pause, pauseMs: 1600, gapEndUs: 11_710_000 };
  assert.deepEqual(explainPause(moved, [shorter, pause], 10_000_000), {
    explainedMs: 1460,
    unexplainedMs: 190,
    beforeSilenceMs: 40,
    afterOpenMs: 200,
  });
  assert.deepEqual(explainPause(moved, [pause], undefined), { explainedMs: 1460, unexplainedMs: 190 });
  assert.equal(explainPause(moved, [], 0), undefined);
});

describe("the client's recorded way back", () => {
  const moved = timeline(["hold-requests", 90, 100], ["open-address", 1500, 1560], ["tickle-connections", 1560, 1570]);
  const pause = { pauseMs: 1850, normalIntervalMs: 50, gapStartUs: 10_060_000, gapEndUs: 11_960_000 };
  const back = timeline(["client-reconnect", 1560, 1600], ["client-reclaim-complete", 1600, 1900]).steps;

  test("is explained, and no less after the opening for it", () => {
    const explained = { explainedMs: 1800, unexplainedMs: 50, wayBackMs: 330 };
    const clocked = { ...explained, beforeSilenceMs: 40, afterOpenMs: 390 };
    assert.deepEqual(explainPause(moved, [pause], 10_000_000, back), clocked);
    assert.deepEqual(explainPause(moved, [pause], undefined, back), explained);
  });

  test("explains nothing behind the pause, and takes nothing from the silence", () => {
    const short = { ...pause, pauseMs: 1500, gapEndUs: 11_700_000 };
    assert.equal(explainPause(moved, [short], 10_000_000, back)?.wayBackMs, 130);
    const early = timeline(["client-reconnect", 1550, 1555]).steps;
    assert.deepEqual(explainPause(moved, [pause], undefined, early), {
      explainedMs: 1470,
      unexplainedMs: 380,
      wayBackMs: 0,
    });
  });
});
