import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import fc from "fast-check";
import { fakeNode } from "../../tests/fake-node.ts";
import { SAMPLE_SPEC } from "../../tests/sample-spec.ts";
import { AssertionError } from "../base/assert.ts";
import { Fault } from "../base/fault.ts";
import { known } from "../base/observed.ts";
import { checkGraph, fileserverStep, STEP_BOUNDS_MS, type StepGraph, type StepKind } from "../failover/step.ts";
import { takeoverGraph } from "../failover/takeover.ts";
import { loadSpec } from "../model/load.ts";
import type { FileserverSpec } from "../model/spec.ts";
import type { Clock } from "../system/clock.ts";
import { NOTHING_WATCHED, type StepContext } from "./context.ts";
import { runGraph, type RunResult, type StepReport, type StepRunners } from "./runner.ts";

const SAMPLE = loadSpec(SAMPLE_SPEC, "sample").fileservers[0] as FileserverSpec;

/** Two chains that meet: sync, then hold and list side by side, then stop. */
const GRAPH: StepGraph = checkGraph([
  fileserverStep("sync-volumes", SAMPLE),
  fileserverStep("record-clients", SAMPLE, ["sync-volumes"]),
  fileserverStep("forget-idle-clients", SAMPLE, ["sync-volumes"]),
  fileserverStep("kill-statd", SAMPLE, ["forget-idle-clients"]),
  fileserverStep("stop-nfsd", SAMPLE, ["kill-statd", "record-clients"]),
]);

/** Time goes on only when everybody waits for it. */
interface SteppedClock extends Clock {
  advance(): boolean;
}

function steppedClock(): SteppedClock {
  let nowMs = 1000;
  let sleepers: { readonly atMs: number; readonly wake: () => void }[] = [];
  return {
    monotonicMs: () => nowMs,
    wallMs: () => nowMs,
    sleep: (durationMs) => new Promise((wake) => void sleepers.push({ atMs: nowMs + durationMs, wake })),
    advance() {
      if (sleepers.length === 0) return false;
      nowMs = Math.min(...sleepers.map(({ atMs }) => atMs));
      const due = sleepers.filter(({ atMs }) => atMs <= nowMs);
      sleepers = sleepers.filter(({ atMs }) => atMs > nowMs);
      for (const { wake } of due) wake();
      return true;
    },
  };
}

function contextWith(clock: Clock, timeScale = 1): StepContext {
  return {
    node: fakeNode({ clock, timeScale }),
    holder: () => assert.fail("no step of these tests needs a holder"),
    insidePid: () => assert.fail("no step of these tests looks inside"),
    volumeFacts: new Map(),
    systemId: "n1",
    handedOver: false,
    addressesProbed: false,
    found: { ledger: known(undefined) },
    endWatch: () => Promise.resolve(NOTHING_WATCHED),
  };
}

interface Doing {
  readonly takesMs?: number;
  readonly fails?: Fault;
  readonly reports?: StepReport;
}

/** Runners that only take their time; each kind takes 10 ms unless said otherwise. */
function runnersThat(clock: Clock, doing: Partial<Record<StepKind, Doing>>, log: string[] = []): StepRunners {
  const runner = (kind: StepKind) => async (): Promise<StepReport | undefined> => {
    const { takesMs = 10, fails, reports } = doing[kind] ?? {};
    log.push(`${kind} begins`);
    await clock.sleep(takesMs);
    log.push(`${kind} ends`);
    if (fails !== undefined) throw fails;
    return reports;
  };
  const kinds = Object.keys(STEP_BOUNDS_MS) as StepKind[];
  return Object.fromEntries(kinds.map((kind) => [kind, runner(kind)])) as unknown as StepRunners;
}

async function runToTheEnd(
  graph: StepGraph,
  doing: Partial<Record<StepKind, Doing>>,
  options: { readonly begin?: (id: string) => Promise<void>; readonly log?: string[] } = {},
): Promise<RunResult> {
  const clock = steppedClock();
  let result: RunResult | undefined;
  const begin = options.begin ?? (() => Promise.resolve());
  const run = runGraph(graph, runnersThat(clock, doing, options.log), contextWith(clock), {
    begin: ({ id }) => begin(id),
  });
  const finished = run.then((value) => (result = value));
  for (;;) {
    await nextTurn();
    if (result !== undefined) return finished;
    assert.ok(clock.advance(), "nothing runs and the run does not end");
  }
}

const lines = (result: RunResult): readonly string[] =>
  result.steps.map((step) => `${step.startMs}-${step.endMs} ${step.step} ${step.outcome}`);

describe("a run", () => {
  test("steps that do not need each other run at the same time; the timeline is exact", async () => {
    const result = await runToTheEnd(GRAPH, {
      "sync-volumes": { takesMs: 100.04 },
      "forget-idle-clients": { takesMs: 50 },
      "stop-nfsd": { reports: { outcome: "already", detail: "none ran" } },
    });
    assert.deepEqual(lines(result), [
      "0-100 sync-volumes done",
      "100-110 record-clients done",
      "100-150 forget-idle-clients done",
      "150-160 kill-statd done",
      "160-170 stop-nfsd already",
    ]);
    assert.equal(result.fault, undefined);
    assert.equal(result.durationMs, 170);
    assert.deepEqual(result.steps[4], {
      step: "stop-nfsd",
      node: "n1",
      startMs: 160,
      endMs: 170,
      outcome: "already",
      detail: "none ran",
    });
  });

  test("a failure: no new step begins, those under way are waited for, the others are skipped", async () => {
    const fails = new Fault({
      kind: "refused",
      code: "volume-reserved",
      what: "/dev/sda is reserved by node n2",
      remedy: "release it there",
      cause: new Error("below"),
    });
    const log: string[] = [];
    const doing = { "record-clients": { takesMs: 300 }, "forget-idle-clients": { takesMs: 20, fails } };
    const result = await runToTheEnd(GRAPH, doing, { log });
    assert.deepEqual(lines(result), [
      "0-10 sync-volumes done",
      "10-30 forget-idle-clients failed",
      "10-310 record-clients done",
      "0-0 kill-statd skipped",
      "0-0 stop-nfsd skipped",
    ]);
    assert.deepEqual(log.slice(2), [
      "record-clients begins",
      "forget-idle-clients begins",
      "forget-idle-clients ends",
      "record-clients ends",
    ]);
    assert.equal(result.steps[1]?.detail, "/dev/sda is reserved by node n2");
    assert.equal(result.durationMs, 310);
    assert.ok(result.fault !== undefined);
    assert.equal(result.fault.message, "forget-idle-clients on n1: /dev/sda is reserved by node n2");
    assert.deepEqual(
      [result.fault.kind, result.fault.code, result.fault.remedy],
      ["refused", "volume-reserved", "release it there"],
    );
    assert.ok(result.fault.cause instanceof Error && result.fault.cause.message === "below");
  });

  test("of two failures the first one is the run's", async () => {
    const failing = (what: string, takesMs: number): Doing => ({ takesMs, fails: new Fault({ code: "x", what }) });
    const result = await runToTheEnd(GRAPH, {
      "record-clients": failing("later", 40),
      "forget-idle-clients": failing("first", 30),
    });
    assert.match(result.fault?.message ?? "", /first/);
    assert.deepEqual(lines(result).slice(1, 3), ["10-40 forget-idle-clients failed", "10-50 record-clients failed"]);
  });

  test("the hook runs before the step touches anything, and its failure is the step's", async () => {
    const begun: string[] = [];
    const log: string[] = [];
    const begin = (id: string): Promise<void> => {
      begun.push(id);
      return id === "kill-statd" ? Promise.reject(new Fault({ code: "crash", what: "hook" })) : Promise.resolve();
    };
    const result = await runToTheEnd(GRAPH, {}, { begin, log });
    assert.deepEqual(begun, ["sync-volumes", "record-clients", "forget-idle-clients", "kill-statd"]);
    assert.ok(!log.includes("kill-statd begins"));
    assert.match(result.fault?.message ?? "", /^kill-statd on n1: hook/);
  });

  test("a bug in a step is no failure of it: it stays an assertion", async () => {
    const clock = steppedClock();
    const runners: StepRunners = {
      ...runnersThat(clock, {}),
      "sync-volumes": () => Promise.reject(new AssertionError("a word with a newline")),
    };
    const run = runGraph(GRAPH, runners, contextWith(clock), { begin: () => Promise.resolve() });
    await assert.rejects(run, (error) => error instanceof AssertionError && error.message === "a word with a newline");
  });

  test("past its bound a step has failed, whatever it is doing", async () => {
    const clock = steppedClock();
    // A bound of 0.06 ms, so that the real timer behind it fires at once.
    const context = contextWith(clock, 1e-6);
    const result = await runGraph(GRAPH, runnersThat(clock, {}), context, {
      begin: () => Promise.resolve(),
    });
    assert.equal(result.fault?.code, "step-timed-out");
    assert.match(result.fault?.message ?? "", /^sync-volumes on n1: did not end within/);
    assert.deepEqual(
      result.steps.slice(1).map((step) => step.outcome),
      ["skipped", "skipped", "skipped", "skipped"],
    );
  });

  test("a runner is told its bound, multiplied by the time scale", async () => {
    const bounds: number[] = [];
    const clock = steppedClock();
    const runners: StepRunners = {
      ...runnersThat(clock, {}),
      "sync-volumes": (_, __, boundMs) => {
        bounds.push(boundMs);
        return Promise.reject(new Fault({ code: "x", what: "enough" }));
      },
    };
    await runGraph(GRAPH, runners, contextWith(clock, 8), { begin: () => Promise.resolve() });
    assert.deepEqual(bounds, [STEP_BOUNDS_MS["sync-volumes"] * 8]);
  });

  test("an empty graph is done", async () => {
    assert.deepEqual(await runToTheEnd([], {}), { steps: [], durationMs: 0 });
  });
});

test("whatever fails and however long it takes: every step once in the timeline, none before what it waits for", async () => {
  const kinds = [...new Set(takeoverGraph(SAMPLE).map((step) => step.kind))];
  const doings = fc.dictionary(
    fc.constantFrom(...kinds),
    fc.record({ takesMs: fc.integer({ min: 1, max: 90 }), failing: fc.boolean() }),
  );
  await fc.assert(
    fc.asyncProperty(doings, async (drawn) => {
      const doing = Object.fromEntries(
        Object.entries(drawn).map(([kind, { takesMs, failing }]): [string, Doing] => [
          kind,
          { takesMs, ...(failing ? { fails: new Fault({ code: "x", what: kind }) } : {}) },
        ]),
      );
      const graph = takeoverGraph(SAMPLE);
      const result = await runToTheEnd(graph, doing);
      assert.deepEqual(result.steps.map((step) => step.step).sort(), graph.map((step) => step.id).sort());
      const byId = new Map(result.steps.map((step) => [step.step, step]));
      for (const { id, after } of graph) {
        const step = byId.get(id);
        if (step === undefined || step.outcome === "skipped") continue;
        for (const earlier of after) {
          assert.equal(byId.get(earlier)?.outcome, "done", `${id} began without ${earlier}`);
          assert.ok((byId.get(earlier)?.endMs ?? Infinity) <= step.startMs);
        }
      }
      const failed = result.steps.filter((step) => step.outcome === "failed");
      assert.equal(result.fault === undefined, failed.length === 0);
      const firstMs = Math.min(...failed.map((step) => step.endMs));
      for (const step of result.steps)
        if (step.outcome !== "skipped") assert.ok(step.startMs <= firstMs, "began after the failure");
    }),
    { numRuns: 40 },
  );
});
