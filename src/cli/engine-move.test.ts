/** A move through the cluster: agents and Pacemaker are doubles, which write down what they are asked. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { clusterAnswer, engineResource } from "../../tests/fake-cluster.ts";
import { manualClock, type ManualClock } from "../../tests/manual-clock.ts";
import { SAMPLE_SPEC } from "../../tests/sample-spec.ts";
import { Fault } from "../base/fault.ts";
import { loadSpec } from "../model/load.ts";
import type { AgentClient } from "../wire/client.ts";
import type { ClusterAnswer } from "../wire/cluster.ts";
import type { Timeline } from "../wire/timeline.ts";
import { joinThroughEngine, moveThroughEngine, type EngineMove } from "./engine-move.ts";
import type { ReachedNode } from "./reach.ts";

const SPEC = loadSpec(SAMPLE_SPEC, "sample");

interface World {
  readonly clock: ManualClock;
  readonly asked: string[];
  readonly progress: string[];
  /** By node. */
  readonly runs: Map<string, Timeline[]>;
  readonly answers: Map<string, Partial<AgentClient>>;
  readonly unreachable: Set<string>;
  view: ClusterAnswer;
  /** What the cluster does once it was told. */
  onMove: () => void;
  move(target?: string): Promise<EngineMove>;
}

function run(kind: Timeline["kind"], node: string, startedAtMs: number, change: Partial<Timeline> = {}): Timeline {
  const steps = [{ step: `${kind}-step`, node, startMs: 0, endMs: 40, outcome: "done" as const }];
  return {
    id: `${kind}-${node}-${startedAtMs}`,
    kind,
    fileserver: "home",
    node,
    startedAtMs,
    outcome: "done",
    steps,
    ...change,
  };
}

function world(): World {
  const clock = manualClock();
  const asked: string[] = [];
  const progress: string[] = [];
  const one: World = {
    clock,
    asked,
    progress,
    runs: new Map([
      ["n1", []],
      ["n2", [run("takeover", "n2", 1, { outcome: "failed" })]],
    ]),
    answers: new Map(),
    unreachable: new Set(),
    view: clusterAnswer(),
    onMove: () => undefined,
    move: (target) =>
      moveThroughEngine({
        spec: SPEC,
        fileserver: "home",
        target,
        clock,
        reach: (node) =>
          one.unreachable.has(node) ? Promise.reject(new Error("no route")) : Promise.resolve(reached(node)),
        progress: (line) => void progress.push(line),
      }),
  };
  const reached = (node: string): ReachedNode => ({
    name: node,
    agent: { ...agentOf(node), ...one.answers.get(node) },
    close: () => Promise.resolve(),
  });
  const agentOf = (node: string): AgentClient => ({
    status: () =>
      // The nodes' clocks are 5 s ahead and 3 s behind.
      Promise.resolve({
        node,
        cluster: "lab",
        version: "0",
        specHash: "",
        wallMs: clock.wallMs() + (node === "n1" ? 5_000 : -3_000),
        fileservers: [],
      }),
    history: (_fileserver, after) => {
      const all = one.runs.get(node) ?? [];
      return Promise.resolve(all.slice(all.findIndex(({ id }) => id === after) + 1));
    },
    clients: () => Promise.reject(new Error("not asked")),
    prepare: () => {
      asked.push(`${node} prepare`);
      return Promise.resolve({ systemId: node });
    },
    takeover: () => Promise.reject(new Error("the engine decides")),
    release: () => Promise.reject(new Error("the engine decides")),
    handover: (_fileserver, { successorSystemId }) => {
      asked.push(`${node} handover to ${successorSystemId}`);
      return Promise.resolve();
    },
    cluster: () => Promise.resolve(one.view),
    fences: () => Promise.resolve([]),
    engineMove: (request) => {
      asked.push(`${node} move ${request.fileserver} to ${request.node}`);
      one.onMove();
      return Promise.resolve();
    },
    engineClear: () => {
      asked.push(`${node} clear`);
      return Promise.resolve();
    },
  });
  return one;
}

function hasCode(code: string) {
  return (error: unknown): boolean => error instanceof Fault && error.code === code;
}

/** The move, and what it came to when so much time had passed. */
async function settledAfter(one: World, durationMs: number): Promise<PromiseSettledResult<EngineMove>> {
  const settled = Promise.allSettled([one.move("n2")]);
  await one.clock.pass(durationMs);
  const [result] = await settled;
  assert.ok(result !== undefined);
  return result;
}

describe("a move through the cluster", () => {
  test("prepares, announces, tells the cluster, follows, and takes the constraint out again", async () => {
    const one = world();
    one.onMove = () => {
      const nowMs = one.clock.wallMs();
      one.runs.get("n1")?.push(run("release", "n1", nowMs + 5_000 + 300));
      void one.clock.sleep(1_000).then(() => one.runs.get("n2")?.push(run("takeover", "n2", nowMs - 3_000 + 400)));
    };
    const result = await settledAfter(one, 2_000);
    assert.ok(result.status === "fulfilled", String(result.status === "rejected" ? result.reason : ""));
    assert.deepEqual(one.asked, [
      "n2 clear",
      "n2 prepare",
      "n1 handover to n2",
      "n2 handover to n2",
      "n2 move home to n2",
      "n2 clear",
    ]);
    const { from, to, durationMs, timeline } = result.value;
    assert.deepEqual([from, to, durationMs], ["n1", "n2", 440]);
    assert.deepEqual(
      timeline.steps.map(({ step, node, startMs, endMs }) => [step, node, startMs, endMs]),
      [
        ["tell-engine", "n1", 0, 300],
        ["release-step", "n1", 300, 340],
        ["engine-goes-on", "n2", 340, 400],
        ["takeover-step", "n2", 400, 440],
      ],
    );
  });

  test("is refused before anything is changed: by the cluster, by the target, without the target's agent", async () => {
    const unmanaged = world();
    unmanaged.view = clusterAnswer({ resources: [engineResource({ managed: false })] });
    await assert.rejects(unmanaged.move("n2"), hasCode("unmanaged"));
    const unready = world();
    const refusal = new Fault({ kind: "refused", code: "not-registered", what: "n2 is not in good standing" });
    unready.answers.set("n2", { prepare: () => Promise.reject(refusal) });
    await assert.rejects(unready.move("n2"), hasCode("not-registered"));
    const silent = world();
    silent.unreachable.add("n2");
    await assert.rejects(silent.move("n2"), hasCode("agent-unreachable"));
    const dark = world();
    dark.unreachable.add("n1");
    dark.unreachable.add("n2");
    await assert.rejects(dark.move("n2"), hasCode("cluster-unknown"));
    for (const one of [unmanaged, unready, silent, dark])
      assert.ok(!one.asked.some((words) => words.includes("move") || words.includes("handover")), one.asked.join());
  });

  test("a takeover that fails: told with its reason, and the constraint is out", async () => {
    const one = world();
    one.onMove = () =>
      void one.runs
        .get("n2")
        ?.push(run("takeover", "n2", 9, { outcome: "undone", because: ["mount-volume: damaged"] }));
    const result = await settledAfter(one, 1_000);
    assert.ok(result.status === "rejected" && hasCode("move-failed")(result.reason));
    assert.match(String((result.reason as Error).cause), /mount-volume: damaged/);
    assert.equal(one.asked.at(-1), "n2 clear");
  });

  test("the cluster does nothing: its reasons are told while it is waited for, and at the end", async () => {
    const one = world();
    one.onMove = () => {
      one.view = clusterAnswer({ quorum: false });
    };
    const result = await settledAfter(one, 901_000);
    assert.ok(result.status === "rejected" && hasCode("move-not-made")(result.reason));
    assert.match(String((result.reason as Error).cause), /no quorum/);
    assert.ok(one.progress.some((line) => line.includes("no quorum")));
    assert.equal(one.asked.at(-1), "n2 clear");
  });

  test("the source's agent does not answer: the cluster moves it all the same", async () => {
    const one = world();
    one.unreachable.add("n1");
    one.onMove = () => void one.runs.get("n2")?.push(run("takeover", "n2", one.clock.wallMs() - 3_000));
    const result = await settledAfter(one, 1_000);
    assert.ok(result.status === "fulfilled");
    assert.deepEqual(
      result.value.timeline.steps.map(({ step }) => step),
      ["tell-engine", "takeover-step"],
    );
  });

  test("a constraint that cannot be taken out is told, with the command that does it", async () => {
    const one = world();
    let clears = 0;
    const engineClear = (): Promise<void> => (clears++ === 0 ? Promise.resolve() : Promise.reject(new Error("gone")));
    one.answers.set("n2", { engineClear });
    one.onMove = () => void one.runs.get("n2")?.push(run("takeover", "n2", one.clock.wallMs() - 3_000));
    const result = await settledAfter(one, 5_000);
    assert.equal(result.status, "fulfilled");
    assert.match(one.progress.at(-1) ?? "", /crm_resource --resource home --clear/);
  });
});

test("clocks that disagree never make time go backwards", () => {
  const ends = { source: { aheadMs: 0 }, destination: { aheadMs: 500 } };
  const timeline = joinThroughEngine(ends, run("release", "n1", 1_100), run("takeover", "n2", 1_150), 1_000);
  for (const { startMs, endMs } of timeline.steps) assert.ok(startMs >= 0 && endMs >= startMs);
});
