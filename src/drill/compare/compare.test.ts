import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { matchesGolden } from "../../../tests/golden.ts";
import { parseXml } from "../../pacemaker/xml.ts";
import { parseLog } from "../samples.ts";
import type { Measured, MeasuredRun } from "../measure.ts";
import { seeded } from "../random.ts";
import { cellsOf, lossesOf, ratiosOf, resultsOf, typicalRun } from "./comparison.ts";
import { visitsOf } from "./plan.ts";
import { picturesOf, renderReport } from "./report.ts";
import { sampleComparison } from "../../../tests/sample-comparison.ts";
import { ratioOfMedians, spreadOf } from "./statistics.ts";
import { axisTimes, duration, standalone } from "./svg.ts";
import { traceOf } from "./trace.ts";
import { barsOf } from "./waterfall.ts";
import { axisMarks } from "./words.ts";

const SMALL = sampleComparison({ scenarios: ["power-off"], protocols: ["v4.2"], runs: 2 });
const BOTH = sampleComparison({ scenarios: ["planned-move", "power-off"], protocols: ["v3", "v4.2"], runs: 9 });

describe("statistics", () => {
  test("a spread is made of values that were measured", () => {
    assert.deepEqual(spreadOf([5, 1, 4, 2, 3]), { count: 5, medianMs: 3, lowMs: 2, highMs: 4, minMs: 1, maxMs: 5 });
    assert.equal(spreadOf([]), undefined);
  });

  test("a ratio's interval holds the ratio, is the same for the same seed, and narrows with more runs", () => {
    const random = seeded(3);
    const sample = (count: number, middle: number): readonly number[] =>
      Array.from({ length: count }, () => middle * (0.8 + 0.4 * random()));
    const widths = [6, 60].map((count) => {
      const [theirs, ours] = [sample(count, 10_000), sample(count, 1_000)];
      const found = ratioOfMedians(theirs, ours, seeded(1), 40);
      assert.ok(found !== undefined && found.low <= found.ratio && found.ratio <= found.high);
      assert.ok(found.ratio > 7 && found.ratio < 13);
      assert.deepEqual(ratioOfMedians(theirs, ours, seeded(1), 40), found);
      return found.high - found.low;
    });
    assert.ok((widths[1] ?? 0) < (widths[0] ?? 0));
  });

  test("what is too short to be measured is not divided by", () => {
    assert.deepEqual(ratioOfMedians([4000], [0], seeded(1), 40), { ratio: 100, low: 100, high: 100 });
    assert.equal(ratioOfMedians([], [1], seeded(1), 40), undefined);
  });
});

describe("a comparison", () => {
  test("goals are judged by the medians, and unsure ones are said to be unsure", () => {
    const ratios = ratiosOf(BOTH);
    const one = ratios.find(
      (each) =>
        each.scenario === "planned-move" &&
        each.protocol === "v3" &&
        each.metric === "pause" &&
        each.against === "stock",
    );
    assert.equal(one?.goal, 10);
    assert.equal(one.reached, one.times.ratio >= 10);
    assert.equal(one.sure, one.times.low >= 10 || one.times.high < 10);
    assert.ok(ratios.every(({ against }) => against !== "holdfast"));
    assert.equal(ratios.filter(({ metric, goal }) => metric === "newLock" && goal === 25).length, 4);
  });

  test("losses are summed up for each system", () => {
    const [stock, tuned] = lossesOf(BOTH);
    assert.deepEqual([stock?.runs, stock?.locksLost, stock?.failed, tuned?.locksLost], [36, 9 * 2 * 8, 1, 0]);
  });

  test("of an even number of runs the typical one is the lower of the two in the middle", () => {
    const own = SMALL.runs.filter(({ system }) => system === "stock");
    const shortest = Math.min(...own.map(({ document }) => document.pauseMs.write ?? 0));
    assert.equal(typicalRun(own)?.document.pauseMs.write, shortest);
    assert.equal(typicalRun([]), undefined);
  });

  test("results.json holds all, and can be read back", () => {
    const results = JSON.parse(JSON.stringify(resultsOf(SMALL))) as ReturnType<typeof resultsOf>;
    assert.deepEqual(results.cells, cellsOf(SMALL));
    assert.equal(results.runs.length, 6);
  });
});

test("systems take turns, and have as many runs after each round", () => {
  const visits = visitsOf({
    systems: ["stock", "holdfast"],
    scenarios: ["planned-move", "power-off"],
    protocols: ["v3"],
    runs: 5,
    runsPerRound: 2,
  });
  assert.deepEqual(
    visits.map(({ round, system, turns }) => [round, system, ...turns.map((turn) => `${turn.scenario} ${turn.runs}`)]),
    [2, 2, 1].flatMap((runs, at) =>
      ["stock", "holdfast"].map((system) => [at + 1, system, `planned-move ${runs}`, `power-off ${runs}`]),
    ),
  );
});

describe("pictures", () => {
  test("of a small comparison", () => {
    let page = renderReport(SMALL, ["An invented place."]);
    for (const one of picturesOf(SMALL)) {
      matchesGolden(`drill/compare-${one.name.replaceAll(".", "-")}.svg`, one.svg);
      assert.ok(page.includes(one.svg));
      page = page.replace(one.svg, `(${one.name}.svg)`);
    }
    matchesGolden("drill/compare-report.txt", page);
  });

  test("are whole XML, each with its colours, and load nothing from elsewhere", () => {
    const pictures = picturesOf(BOTH);
    assert.equal(pictures.length, 10);
    assert.equal(new Set(pictures.map(({ name }) => name)).size, 10);
    for (const one of pictures) assert.equal(parseXml(standalone(one), one.name).tag, "svg");
    const page = renderReport(BOTH, []);
    assert.doesNotMatch(page.replaceAll("http://www.w3.org/2000/svg", ""), /https?:|src=|@import|url\(/);
    assert.match(page, /invented: &lt;n2&gt; &amp; n1 were off/);
  });

  test("of nothing are no pictures, and the page says so", () => {
    const empty = { ...SMALL, runs: [], broken: [] };
    assert.deepEqual(picturesOf(empty), []);
    assert.match(renderReport(empty, []), /nothing to compare yet/);
  });

  test("a failover's bars lie one behind the other, and the client's way back ends them", () => {
    const document = SMALL.runs.find(({ system }) => system === "holdfast")?.document;
    assert.ok(document !== undefined);
    const bars = barsOf(document);
    assert.deepEqual(
      bars.map(({ label }) => label),
      [
        "until it is noticed",
        "until the other is fenced",
        "until the takeover begins",
        "reserve-luns:data (n2)",
        "activate-volume:data (n2)",
        "mount-volume:data (n2)",
        "start-nfsd (n2)",
        "open-address (n2)",
        "until the client is back",
      ],
    );
    for (const [at, bar] of bars.entries())
      assert.ok(at === 0 || Math.abs(bar.startMs - (bars[at - 1]?.endMs ?? 0)) <= 2);
    assert.equal(bars.at(-1)?.endMs, document.pauseMs.write);
    const opened = document.timeline.find(({ step }) => step === "open-address")?.endMs ?? 0;
    const wayBack = (lengthMs: number) =>
      barsOf({
        ...document,
        timeline: [
          ...document.timeline,
          { step: "client-reconnect", node: "c1", startMs: opened, endMs: opened + lengthMs, outcome: "done" },
        ],
      }).slice(-2);
    const [known, rest] = wayBack(5);
    assert.deepEqual([known?.label, rest?.label], ["client-reconnect (c1)", "until the client is back"]);
    assert.deepEqual([rest?.startMs, rest?.endMs], [known?.endMs, document.pauseMs.write]);
    assert.equal(wayBack(5_000).at(-1)?.label, "client-reconnect (c1)");
  });

  test("axes have few marks, at round places", () => {
    assert.deepEqual(axisTimes(-3000, 12_000, 12), [-2000, 0, 2000, 4000, 6000, 8000, 10_000, 12_000]);
    assert.deepEqual(axisMarks(800, 15_000), [1000, 2000, 5000, 10_000]);
    assert.deepEqual([duration(840.2), duration(2410), duration(95_400)], ["840 ms", "2.4 s", "95 s"]);
  });
});

test("a run is kept as what each probe did, counted from the fault", () => {
  const log = parseLog(
    "s 9000000 10\ns 9990000 10\ns 12010000 10\ns 12020000 10\ne 12000000 5 write EIO text\ns 40000000 1\n",
  );
  const loop = { name: "home-write", kind: "write", machine: "c1" };
  const measured = { clients: ["c1"], loops: new Map([["home-write", loop]]), logs: new Map([["home-write", log]]) };
  const run = { window: { startUs: 10_000_000, endUs: 14_000_000 }, timelineZeroUs: 10_400_000 };
  const trace = traceOf(measured as unknown as Measured, run as MeasuredRun);
  assert.deepEqual(trace, {
    operations: { write: [-1000, -50, 2000] },
    errors: [2000],
    endMs: 7000,
    timelineAtMs: 400,
  });
});
