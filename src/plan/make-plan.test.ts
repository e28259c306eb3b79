import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { matchesGolden } from "../../tests/golden.ts";
import { SAMPLE_SPEC, sampleWith } from "../../tests/sample-spec.ts";
import { known, unknown } from "../base/observed.ts";
import { specHash } from "../model/derive.ts";
import { loadSpec } from "../model/load.ts";
import { unknownNode, type FileserverState, type NodeObservation, type ObservedCluster } from "../model/observed.ts";
import type { Spec } from "../model/spec.ts";
import { fileserverChange } from "./changes.ts";
import { planFileservers } from "./fileservers.ts";
import { makePlan } from "./make-plan.ts";
import { nodeActions, nodeBlocks, nodeObstacle, shortGeneration } from "./nodes.ts";
import { renderPlan } from "./render.ts";
import { makeWorld } from "./world.ts";

const sample = loadSpec(SAMPLE_SPEC, "sample");

/** A node that works by `spec` and carries these fileservers. */
function node(name: string, spec: Spec, fileservers: Readonly<Record<string, FileserverState>> = {}): NodeObservation {
  const generation = specHash(spec);
  return {
    node: name,
    agent: known({ state: "running", version: "0.1.0", generation }),
    spec: known({ generation, spec }),
    fileservers: known(Object.entries(fileservers).map(([each, state]) => ({ name: each, state }))),
  };
}

function freshNode(name: string): NodeObservation {
  return { node: name, agent: known({ state: "absent" }), spec: known(undefined), fileservers: known([]) };
}

/** Both nodes up to date; home on n1, media on n2. */
function running(spec: Spec = sample): ObservedCluster {
  return {
    nodes: [node("n1", spec, { home: "serving", media: "warm" }), node("n2", spec, { home: "warm", media: "serving" })],
  };
}

const changed = (...changes: readonly (readonly [string, string])[]): Spec =>
  loadSpec(sampleWith(...changes), "changed");
const withoutMedia = loadSpec(SAMPLE_SPEC.slice(0, SAMPLE_SPEC.indexOf("  - name: media")), "without media");

interface Scene {
  readonly desired: Spec;
  readonly observed: ObservedCluster;
}

/** Every scene is kept as text under tests/golden/plan/. */
const SCENES: Readonly<Record<string, Scene>> = {
  "fresh-cluster": { desired: sample, observed: { nodes: [freshNode("n1"), freshNode("n2")] } },
  "nothing-to-do": { desired: sample, observed: running() },
  "agent-stopped-spec-current": {
    desired: sample,
    observed: {
      nodes: [
        ...running().nodes.slice(0, 1),
        { ...node("n2", sample), agent: known({ state: "stopped" }), fileservers: unknown("its agent is not running") },
      ],
    },
  },
  "exports-changed": { desired: changed(["options: [rw]", "options: [ro]"]), observed: running() },
  "client-removed-and-fsid-set": {
    desired: changed(
      ["10.77.0.0/24, options: [rw]", "10.77.0.21, options: [rw]"],
      ["volume: data\n", "volume: data\n        fsid: 6f1c3c9e-6f0e-4c2b-9d54-0b8f7d0f2a11\n"],
    ),
    observed: running(),
  },
  "server-settings-changed": {
    desired: changed(["    interface: eth1\n", "    interface: eth1\n    nfs: { threads: 32 }\n"]),
    observed: running(),
  },
  "address-and-name-changed": {
    desired: changed(["10.77.0.50/24", "10.77.0.60/24"], ["home.lab.example", "files.lab.example"]),
    observed: running(),
  },
  "placement-changed": { desired: changed(["prefer: n1", "prefer: n2"]), observed: running() },
  "fileserver-removed": { desired: withoutMedia, observed: running() },
  "fileserver-added": {
    desired: sample,
    observed: { nodes: [node("n1", withoutMedia, { home: "serving" }), node("n2", withoutMedia, { home: "warm" })] },
  },
  "volume-handed-over": {
    desired: changed(["device: home/data", "device: spare/data"], ["device: media/data", "device: home/data"]),
    observed: running(),
  },
  "one-node-unknown": {
    desired: changed(["options: [rw]", "options: [ro]"]),
    observed: {
      nodes: [...running().nodes.slice(0, 1), unknownNode("n2", "ssh: connect to n2: connection timed out")],
    },
  },
  "all-unknown": {
    desired: sample,
    observed: { nodes: ["n1", "n2"].map((name) => unknownNode(name, "this release cannot look yet")) },
  },
  "served-twice": {
    desired: sample,
    observed: {
      nodes: [node("n1", sample, { home: "serving", media: "serving" }), node("n2", sample, { home: "serving" })],
    },
  },
  "under-way-and-stuck": {
    desired: sample,
    observed: { nodes: [node("n1", sample, { home: "taking-over" }), node("n2", sample, { media: "partial" })] },
  },
  "node-leaves": {
    desired: changed(["    - { name: n2, addresses: [10.77.0.12, 10.78.0.12] }\n", ""]),
    observed: running(),
  },
  "node-leaves-unseen": {
    desired: changed(["    - { name: n2, addresses: [10.77.0.12, 10.78.0.12] }\n", ""]),
    observed: { nodes: [node("n1", sample, { home: "serving", media: "warm" })] },
  },
  "another-cluster": {
    desired: sample,
    observed: {
      nodes: [
        node("n1", sample, { home: "serving", media: "serving" }),
        node("n2", changed(["name: lab", "name: other"]), {}),
      ],
    },
  },
  pacemaker: {
    desired: changed(
      ["engine: standalone", "engine: pacemaker"],
      [
        "fileservers:\n",
        "directors: [{ name: lb, machines: [{ name: d1, address: 10.77.0.31 }], services: [{ fileserver: home }] }]\nfileservers:\n",
      ],
    ),
    observed: { nodes: [freshNode("n1"), freshNode("n2")] },
  },
};

describe("a plan", () => {
  for (const [name, { desired, observed }] of Object.entries(SCENES)) {
    test(name, () => {
      const { plan, report } = makePlan(desired, observed);
      matchesGolden(`plan/${name}.txt`, renderPlan(desired.cluster.name, plan, report).join("\n"));
    });
  }

  test("carried out, leaves nothing to do", () => {
    for (const [before, after] of [
      [sample, withoutMedia],
      [withoutMedia, sample],
      [sample, changed(["options: [rw]", "options: [ro]"])],
    ] as const) {
      const first = makePlan(after, running(before));
      assert.notEqual(first.plan.actions.length, 0);
      const serving = Object.fromEntries(after.fileservers.map((each) => [each.name, "serving" as const]));
      const second = makePlan(after, { nodes: [node("n1", after, serving), node("n2", after)] });
      assert.deepEqual(second.plan.actions, []);
      assert.deepEqual(second.report.blocked, []);
    }
  });
});

describe("whatever was observed", () => {
  const state = fc.constantFrom<FileserverState>(
    "absent",
    "warming",
    "warm",
    "taking-over",
    "serving",
    "releasing",
    "partial",
    "unknown",
  );
  const agent = fc.constantFrom<NodeObservation["agent"]>(
    known({ state: "absent" }),
    known({ state: "stopped" }),
    known({ state: "running", version: "1", generation: undefined }),
    unknown("no answer"),
  );
  const specs = [sample, withoutMedia, SCENES["volume-handed-over"]?.desired ?? sample];
  const spec = fc.constantFrom<NodeObservation["spec"]>(
    ...specs.map((each) => known({ generation: specHash(each), spec: each })),
    known(undefined),
    unknown("no answer"),
  );
  const fileservers = fc.oneof(
    fc.tuple(state, state).map(([home, media]) =>
      known([
        { name: "home", state: home },
        { name: "media", state: media },
      ]),
    ),
    fc.constant(unknown("no answer")),
  );
  const observation = (name: string) => fc.record({ node: fc.constant(name), agent, spec, fileservers });
  const clusters = fc.tuple(observation("n1"), observation("n2")).map((nodes) => ({ nodes }));

  test("no takeover while any node may serve it, none twice, and nothing on a node that is not known", () => {
    fc.assert(
      fc.property(fc.constantFrom(...specs), clusters, (desired, observed) => {
        const { plan, report } = makePlan(desired, observed);
        const found = (name: string) => observed.nodes.find((each) => each.node === name);
        for (const action of plan.actions) {
          const where = found(action.node);
          assert.ok(where?.agent.known === true && where.spec.known, `${action.kind} on ${action.node}`);
        }
        const starts = plan.actions.flatMap((action) => (action.kind === "takeover" ? [action] : []));
        assert.equal(new Set(starts.map((action) => action.fileserver)).size, starts.length);
        for (const start of starts) {
          const released = plan.actions.findIndex(
            (each) => each.kind === "release" && each.fileserver === start.fileserver,
          );
          if (released >= 0) {
            assert.ok(released < plan.actions.indexOf(start), "released before it is taken over");
            continue;
          }
          for (const each of observed.nodes) {
            assert.ok(each.fileservers.known, `${start.fileserver} while ${each.node} is unknown`);
            const there = each.fileservers.value.find((one) => one.name === start.fileserver)?.state ?? "absent";
            assert.ok(
              ["absent", "warming", "warm"].includes(there),
              `${start.fileserver} while ${there} on ${each.node}`,
            );
          }
        }
        const covered = new Set(report.effects.map((each) => each.fileserver));
        for (const fileserver of desired.fileservers)
          assert.ok(covered.has(fileserver.name), "every fileserver is spoken of");
      }),
      { numRuns: 500 },
    );
  });

  test("the same observation gives the same plan", () => {
    fc.assert(
      fc.property(clusters, (observed) => {
        assert.deepEqual(makePlan(sample, observed), makePlan(sample, structuredClone(observed)));
      }),
      { numRuns: 50 },
    );
  });
});

describe("parts of the planner", () => {
  test("a node is left alone for its own reason", () => {
    const world = makeWorld(sample, SCENES["another-cluster"]?.observed ?? running());
    assert.deepEqual(
      world.nodes.map((each) => nodeObstacle(world, each)),
      [undefined, "it belongs to another cluster"],
    );
    assert.deepEqual(
      nodeBlocks(world).map((note) => note.code),
      ["other-cluster"],
    );
    assert.deepEqual(nodeActions(world).write, []);
  });

  test("a node that was not looked at is unknown, not absent", () => {
    const world = makeWorld(sample, { nodes: [] });
    assert.deepEqual(
      nodeBlocks(world).map((note) => note.about),
      ["n1", "n2"],
    );
    assert.deepEqual(planFileservers(world).after, []);
    assert.deepEqual(
      planFileservers(world).blocked.map((note) => note.code),
      ["place-unknown", "place-unknown"],
    );
  });

  test("what a change means is decided by its keys", () => {
    const home = sample.fileservers[0];
    assert.ok(home !== undefined);
    assert.deepEqual(fileserverChange(home, structuredClone(home)), { impact: "none", changes: [], losses: [] });
    assert.equal(fileserverChange(home, { ...home, placement: { failback: "never" } }).impact, "none");
    assert.equal(fileserverChange(home, { ...home, exports: [] }).impact, "reload");
    assert.match(fileserverChange(home, { ...home, exports: [] }).losses.join(), /clients of \/export\/data lose it/);
    assert.match(fileserverChange(home, { ...home, protocols: ["v4"] }).losses.join(), /mounted by v3/);
    assert.match(fileserverChange(home, { ...home, volumes: [] }).losses.join(), /no longer served/);
    assert.equal(fileserverChange(home, { ...home, volumes: [], exports: [] }).impact, "restart");
  });

  test("generations are shown short", () => assert.equal(shortGeneration("0123456789abcdef"), "01234567"));
});
