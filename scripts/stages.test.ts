import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  CLEAN_UP_TIMEOUT_MS,
  TOTAL_TIMEOUT_MS,
  chooseStages,
  groupStages,
  parseChoice,
  tallyStage,
  verdictLine,
  whyNotBegun,
  withinBudget,
  type Stage,
  type TestReport,
} from "./stages.ts";

const check: Stage = { name: "lint", command: ["oxlint"], timeoutMs: 5000, counts: "one" };
const tests: Stage = { name: "unit tests", command: ["node"], timeoutMs: 5000, counts: "tests" };

function lines(...reports: TestReport[]): readonly string[] {
  return reports.map((report) => JSON.stringify(report));
}

function names(stages: readonly Stage[]): readonly string[] {
  return stages.map((stage) => stage.name);
}

describe("tallyStage", () => {
  test("a check passes only with exit status 0 in time", () => {
    assert.deepEqual(tallyStage(check, { status: 0, timedOut: false, reports: [] }), { passed: 1, failed: 0 });
    assert.deepEqual(tallyStage(check, { status: 1, timedOut: false, reports: [] }), {
      passed: 0,
      failed: 1,
      because: "exit status 1",
    });
    assert.equal(tallyStage(check, { status: 0, timedOut: true, reports: [] }).failed, 1);
    assert.equal(tallyStage(check, { status: null, timedOut: false, reports: [] }).failed, 1);
  });

  test("tests are counted one by one, and a skipped one is a failed one", () => {
    const reports = lines(
      { kind: "passed", name: "a" },
      { kind: "passed", name: "b" },
      { kind: "skipped", name: "c" },
      { kind: "failed", name: "d" },
      { kind: "end" },
    );
    assert.deepEqual(tallyStage(tests, { status: 1, timedOut: false, reports }), {
      passed: 2,
      failed: 2,
      because: "2 tests did not pass, 1 of them skipped; exit status 1",
    });
  });

  test("a run without an end, without a test, or with a bad status fails although no test did", () => {
    const one = lines({ kind: "passed", name: "a" });
    const whole = [...one, ...lines({ kind: "end" })];
    assert.deepEqual(tallyStage(tests, { status: 0, timedOut: false, reports: whole }), { passed: 1, failed: 0 });
    assert.match(tallyStage(tests, { status: 0, timedOut: false, reports: one }).because ?? "", /its end/);
    assert.match(
      tallyStage(tests, { status: 0, timedOut: false, reports: lines({ kind: "end" }) }).because ?? "",
      /no test ran/,
    );
    assert.equal(tallyStage(tests, { status: 7, timedOut: false, reports: whole }).failed, 1);
    assert.equal(tallyStage(tests, { status: 0, timedOut: true, reports: whole }).failed, 1);
    assert.equal(tallyStage(tests, { status: 0, timedOut: false, reports: [...one, '{"kind":"e'] }).failed, 1);
  });

  test("out of time, the last test that ended is named", () => {
    const reports = lines({ kind: "passed", name: "a" }, { kind: "failed", name: "b" });
    assert.match(tallyStage(tests, { status: 1, timedOut: true, reports }).because ?? "", /last test that ended: b$/);
    assert.match(tallyStage(tests, { status: 1, timedOut: true, reports: [] }).because ?? "", /no test ended$/);
  });

  test("nothing but a clean run passes, whatever is reported", () => {
    const report = fc.oneof(
      fc.constantFrom<TestReport["kind"]>("passed", "failed", "skipped", "end").map((kind) => JSON.stringify({ kind })),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(report), fc.option(fc.nat(3)), fc.boolean(), (reports, status, timedOut) => {
        const tally = tallyStage(tests, { status, timedOut, reports });
        const clean = status === 0 && !timedOut;
        assert.ok(tally.failed > 0 || (clean && tally.passed > 0));
      }),
    );
  });
});

describe("chooseStages", () => {
  const found = { unitFiles: ["src/a.test.ts"], labFiles: ["tests/lab/move.lab.ts"] };

  test("--unit leaves out build and lab", () => {
    assert.deepEqual(names(chooseStages({ unitOnly: true, all: false }, found)), [
      "format",
      "lint",
      "types",
      "types of decisions",
      "unit tests",
    ]);
  });

  test("the simulation runs beside the other unit tests", () => {
    const more = { ...found, unitFiles: ["src/a.test.ts", "src/simulation/b.test.ts"] };
    const stages = chooseStages({ unitOnly: true, all: false }, more);
    assert.deepEqual(names(groupStages(stages).at(-1) ?? []), ["unit tests", "simulation"]);
    assert.deepEqual(
      stages.slice(-2).map(({ command }) => command.at(-1)),
      ["src/a.test.ts", "src/simulation/b.test.ts"],
    );
  });

  test("the whole ends with the lab tests in one lab, also where no file of them was found: that run fails", () => {
    assert.deepEqual(names(chooseStages({ unitOnly: false, all: false }, found)).slice(-7), [
      "host packages",
      "unit tests",
      "lab image",
      "build",
      "lab up",
      "lab tests: move",
      "lab down",
    ]);
    const lab = chooseStages({ unitOnly: false, all: false }, { ...found, labFiles: [] }).at(-2);
    assert.ok(lab);
    assert.equal(lab.name, "lab tests");
    const nothing = { status: 0, timedOut: false, reports: lines({ kind: "end" }) };
    assert.equal(tallyStage(lab, nothing).failed, 1);
  });

  test("without a lab no lab test is begun, and the lab is taken down all the same", () => {
    const stages = chooseStages({ unitOnly: false, all: false }, found);
    const [image, , up, move, down] = stages.slice(-5);
    assert.ok(image && up && move && down);
    assert.equal(whyNotBegun(up, new Map([[image, { passed: 0, failed: 1 }]]), TOTAL_TIMEOUT_MS), "lab image failed");
    const failed = new Map([[up, { passed: 0, failed: 1 }]]);
    assert.equal(whyNotBegun(move, failed, TOTAL_TIMEOUT_MS), "lab up failed");
    assert.equal(whyNotBegun(move, new Map(), TOTAL_TIMEOUT_MS), "lab up failed");
    assert.equal(whyNotBegun(move, new Map([[up, { passed: 1, failed: 0 }]]), TOTAL_TIMEOUT_MS), undefined);
    assert.equal(whyNotBegun(down, failed, TOTAL_TIMEOUT_MS), undefined);
  });

  test("lab tests that take longer run with --all only, with labs of their own", () => {
    const more = { ...found, labFiles: [...found.labFiles, "tests/lab/cluster.long.lab.ts"] };
    assert.equal(names(chooseStages({ unitOnly: false, all: false }, more)).at(-1), "lab down");
    const long = chooseStages({ unitOnly: false, all: true }, more).at(-1);
    assert.equal(long?.name, "lab tests: cluster.long");
    assert.equal(long.environment, undefined);
  });

  test("every stage that uses up its bound still leaves the whole within 25 minutes", () => {
    let leftMs = TOTAL_TIMEOUT_MS;
    const stages = chooseStages({ unitOnly: false, all: false }, found);
    const everything = new Map(stages.map((stage) => [stage, { passed: 1, failed: 0 }]));
    for (const together of groupStages(stages)) {
      if (together.some((stage) => whyNotBegun(stage, everything, leftMs) !== undefined)) continue;
      const longestMs = Math.max(...together.map((stage) => withinBudget(stage, leftMs).timeoutMs));
      leftMs -= longestMs + CLEAN_UP_TIMEOUT_MS;
    }
    const promisedMs = 25 * 60_000;
    assert.ok(leftMs < CLEAN_UP_TIMEOUT_MS, "the last stages are not begun");
    assert.ok(TOTAL_TIMEOUT_MS - leftMs <= promisedMs, `${leftMs} ms left`);
  });
});

test("parseChoice knows its words and no others", () => {
  assert.deepEqual(parseChoice(["--unit"]), { unitOnly: true, all: false });
  assert.deepEqual(parseChoice(["--all"]), { unitOnly: false, all: true });
  assert.deepEqual(parseChoice([]), { unitOnly: false, all: false });
  assert.equal(parseChoice(["--al"]), undefined);
});

test("the last line is what scripts look for", () => {
  assert.equal(
    verdictLine([
      { passed: 3, failed: 0 },
      { passed: 0, failed: 1 },
    ]),
    "3 passed, 1 failed",
  );
});
