import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { clusterAnswer, engineNode, engineResource } from "../../tests/fake-cluster.ts";
import { Fault } from "../base/fault.ts";
import type { ClusterAnswer } from "../wire/cluster.ts";
import { chooseCourse, whyNotServed } from "./engine-judge.ts";

const THREE = [engineNode("n1"), engineNode("n2"), engineNode("n3")];
const STOPPED = engineResource({ active: false, role: "Stopped", nodes: [] });

function hasCode(code: string, kind: Fault["kind"] = "refused") {
  return (error: unknown): boolean => error instanceof Fault && error.code === code && error.kind === kind;
}

describe("where a move goes", () => {
  test("the node that was named, or the only one that could", () => {
    assert.deepEqual(chooseCourse(clusterAnswer(), "home", "n2"), { from: "n1", to: "n2" });
    assert.deepEqual(chooseCourse(clusterAnswer(), "home", undefined), { from: "n1", to: "n2" });
    const nodes = [engineNode("n1"), engineNode("n2", { standby: true }), engineNode("n3")];
    assert.deepEqual(chooseCourse(clusterAnswer({ nodes }), "home", undefined), { from: "n1", to: "n3" });
    assert.throws(
      () => chooseCourse(clusterAnswer({ nodes: THREE }), "home", undefined),
      (error) => hasCode("target-not-named", "invalid")(error) && (error as Fault).remedy === "name one of: n2, n3",
    );
  });

  test("nobody serves it: it is brought into service", () => {
    assert.deepEqual(chooseCourse(clusterAnswer({ resources: [STOPPED] }), "home", "n1"), { to: "n1" });
  });

  const refusals: readonly (readonly [string, Partial<ClusterAnswer>, string | undefined])[] = [
    ["already-serving", {}, "n1"],
    ["no-quorum", { quorum: false }, "n2"],
    ["not-in-cluster", { resources: [] }, "n2"],
    ["unmanaged", { maintenance: true }, "n2"],
    ["unmanaged", { resources: [engineResource({ managed: false })] }, "n2"],
    ["stopped", { resources: [engineResource({ targetRole: "Stopped" })] }, "n2"],
    ["served-twice", { resources: [engineResource({ nodes: ["n1", "n2"] })] }, "n2"],
    ["node-unclean", { nodes: [engineNode("n1", { unclean: true }), engineNode("n2")] }, "n2"],
    ["target-not-ready", { nodes: [engineNode("n1"), engineNode("n2", { online: false })] }, "n2"],
    ["target-not-ready", { nodes: [engineNode("n1"), engineNode("n2", { standby: true })] }, "n2"],
    ["target-not-ready", { nodes: [engineNode("n1"), engineNode("n2", { pending: true })] }, "n2"],
    ["target-not-ready", { nodes: [engineNode("n1"), engineNode("n2", { maintenance: true })] }, undefined],
    ["target-not-ready", { nodes: [engineNode("n1")] }, "n2"],
  ];
  for (const [code, change, target] of refusals) {
    test(`refused as ${code}: ${JSON.stringify(change).slice(0, 60)}`, () => {
      assert.throws(() => chooseCourse(clusterAnswer(change), "home", target), hasCode(code));
    });
  }
});

describe("why a fileserver is not served", () => {
  const rows: readonly (readonly [Partial<ClusterAnswer>, RegExp])[] = [
    [{ quorum: false }, /no quorum/],
    [{ fencingEnabled: false }, /fencing is switched off/],
    [{ nodes: [engineNode("n1", { unclean: true }), engineNode("n2")] }, /n1 is unclean/],
    [{ nodes: [engineNode("n1"), engineNode("n2", { online: false })] }, /n2 is offline/],
    [{ resources: [] }, /holdfast apply/],
    [{ resources: [engineResource({ targetRole: "stopped" })] }, /target-role/],
    [{ resources: [engineResource({ managed: false })] }, /does not act on it/],
    [{ resources: [engineResource({ blocked: true })] }, /blocked/],
    [{ resources: [engineResource({ pending: "Starting" })] }, /Starting is under way/],
    [
      { failures: [{ resource: "home", task: "start", node: "n2", reason: "no LUN", when: "14:00" }] },
      /start failed on n2 \(14:00\): no LUN/,
    ],
  ];
  for (const [change, why] of rows)
    test(why.source, () => assert.match(whyNotServed(clusterAnswer(change), "home").join("\n"), why));

  test("the last fencing of an unclean node, unless it succeeded; another's failures are not told", () => {
    const nodes = [engineNode("n1", { unclean: true }), engineNode("n2")];
    const fencing = { target: "n1", action: "reboot", by: "n2", reason: "no answer" } as const;
    const told = (status: "failed" | "success" | "pending"): string =>
      whyNotServed(clusterAnswer({ nodes, fencings: [{ ...fencing, status }] }), "home").join("\n");
    assert.match(told("failed"), /the fencing of n1 by n2 is failed: no answer/);
    assert.match(told("pending"), /is pending/);
    assert.doesNotMatch(told("success"), /the fencing of n1/);
    const failures = [{ resource: "media", task: "start", node: "n2", reason: "", when: "" }];
    assert.deepEqual(whyNotServed(clusterAnswer({ failures }), "home"), []);
  });
});
