import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { known, unknown } from "../base/observed.ts";
import type { FileserverStatus, StandingStatus } from "../wire/agent.ts";
import type { ClusterAnswer } from "../wire/cluster.ts";
import { clusterAnswer, engineNode } from "../../tests/fake-cluster.ts";
import type { NodeReply } from "./reach.ts";
import { makeDocument, statusLines, type NodeAnswer } from "./status.ts";

function fileserver(name: string, state: FileserverStatus["state"]): FileserverStatus {
  return { name, state, because: [], addresses: [], connections: 0, nfsdThreads: 0 };
}

function answers(node: string, ...fileservers: readonly FileserverStatus[]): NodeReply<NodeAnswer> {
  const status = { node, cluster: "lab", version: "0", specHash: "aa", wallMs: 0, fileservers };
  return { node, result: { ok: true, value: { status } } };
}

const silent = (node: string): NodeReply<NodeAnswer> => ({
  node,
  result: { ok: false, error: new Error("no route") },
});

describe("the status document", () => {
  test("everybody answers, everything is served once: healthy", () => {
    const document = makeDocument(
      "lab",
      ["home", "media"],
      [
        answers("n1", fileserver("home", "serving"), fileserver("media", "warm")),
        answers("n2", fileserver("home", "warm"), fileserver("media", "serving")),
      ],
    );
    assert.equal(document.healthy, true);
    assert.deepEqual(
      document.fileservers.map(({ name, servedBy, on }) => [name, servedBy, Object.keys(on)]),
      [
        ["home", "n1", ["n1", "n2"]],
        ["media", "n2", ["n1", "n2"]],
      ],
    );
    assert.deepEqual(document.nodes[0], { name: "n1", answers: true, specHash: "aa" });
  });

  test("a node that does not answer says why, and nothing is said of what it has", () => {
    const document = makeDocument("lab", ["home"], [silent("n1"), answers("n2", fileserver("home", "warm"))]);
    assert.equal(document.healthy, false);
    assert.deepEqual(document.nodes[0], { name: "n1", answers: false, why: "no route" });
    assert.deepEqual(Object.keys(document.fileservers[0]?.on ?? {}), ["n2"]);
    assert.equal(document.fileservers[0]?.servedBy, null);
  });

  test("served by one, but another node is silent: not healthy", () => {
    const document = makeDocument("lab", ["home"], [answers("n1", fileserver("home", "serving")), silent("n2")]);
    assert.deepEqual([document.healthy, document.fileservers[0]?.servedBy], [false, "n1"]);
  });

  test("served by nobody, or by two: no name is given", () => {
    for (const state of ["warm", "serving", "taking-over"] as const) {
      const document = makeDocument(
        "lab",
        ["home"],
        [answers("n1", fileserver("home", state)), answers("n2", fileserver("home", state))],
      );
      assert.deepEqual([document.healthy, document.fileservers[0]?.servedBy], [false, null], state);
    }
  });

  test("a fileserver that no agent knows is listed and not served", () => {
    const document = makeDocument("lab", ["home"], [answers("n1"), answers("n2")]);
    assert.deepEqual(document.fileservers, [{ name: "home", servedBy: null, on: {} }]);
    assert.ok(statusLines(document).includes("fileserver home: not served"));
  });
});

test("what an operator reads: who serves, and why a grace lasts", () => {
  const grace = {
    v4: { lasts: true, because: ["waiting for c2: not seen yet"], endsWithinS: 19 },
    v3: { lasts: false, because: ["nobody held a lock"] },
  };
  const serving = { ...fileserver("home", "serving"), connections: 2, nfsdThreads: 16, grace };
  const half = { ...fileserver("home", "partial"), because: ["no holder"] };
  const document = makeDocument("lab", ["home"], [answers("n1", serving), answers("n2", half), silent("n3")]);
  assert.deepEqual(statusLines(document), [
    "cluster lab",
    "  n1  agent answers",
    "  n2  agent answers",
    "  n3  unknown: no route",
    "fileserver home: served by n1",
    "  n1  serving, 2 connections, 16 threads",
    "      grace for NFSv4: lasts, for at most 19 s more",
    "        waiting for c2: not seen yet",
    "  n2  partial (no holder)",
  ]);
});

describe("with engine: pacemaker", () => {
  const GOOD: StandingStatus = {
    good: true,
    because: [],
    luns: [{ lun: "naa.1", conclusion: "good", because: "this node's key stands" }],
  };
  const sees = (
    node: string,
    state: FileserverStatus["state"],
    view: ClusterAnswer | Error,
    standing = GOOD,
  ): NodeReply<NodeAnswer> => {
    const status = { node, cluster: "lab", version: "0", specHash: "aa", wallMs: 0, fileservers: [], standing };
    const engine = view instanceof Error ? unknown<ClusterAnswer>(view.message) : known(view);
    return {
      node,
      result: { ok: true, value: { status: { ...status, fileservers: [fileserver("home", state)] }, engine } },
    };
  };

  test("all well: quorum, every node online and registered", () => {
    const view = clusterAnswer({ dc: "n1" });
    const document = makeDocument("lab", ["home"], [sees("n1", "serving", view), sees("n2", "warm", view)]);
    assert.equal(document.healthy, true);
    assert.deepEqual(statusLines(document), [
      "cluster lab: quorum, n1 decides",
      "  n1  agent answers, online, registered on 1 LUNs",
      "  n2  agent answers, online, registered on 1 LUNs",
      "fileserver home: served by n1",
      "  n1  serving, 0 connections, 0 threads",
      "  n2  warm",
    ]);
  });

  test("a node that cannot be fenced: what is not served, why, and what fencing said", () => {
    const view = clusterAnswer({
      nodes: [engineNode("n1", { online: false, unclean: true }), engineNode("n2")],
      fencings: [{ target: "n1", action: "reboot", status: "failed", by: "n2", completed: "14:00", reason: "no LUN" }],
    });
    const document = makeDocument("lab", ["home"], [silent("n1"), sees("n2", "warm", view)]);
    assert.equal(document.healthy, false);
    assert.deepEqual(document.nodes[0], {
      name: "n1",
      answers: false,
      why: "no route",
      cannotServe: "is unclean: it has to be fenced",
    });
    assert.deepEqual(statusLines(document).slice(3), [
      "  fencing: reboot of n1: failed, by n2, 14:00, no LUN",
      "fileserver home: not known to be served: no answer from n1",
      "  because: n1 is unclean: nothing of it is started elsewhere before it is fenced",
      "  because: the fencing of n1 by n2 is failed: no LUN",
      "  n2  warm",
    ]);
  });

  test("a node in bad standing, and one that sees no quorum: not healthy, and told", () => {
    const view = clusterAnswer({});
    const bad: StandingStatus = {
      good: false,
      because: [],
      luns: [{ lun: "naa.1", conclusion: "barred", because: "a stale mount" }],
    };
    const document = makeDocument(
      "lab",
      ["home"],
      [sees("n1", "serving", { ...view, quorum: false }), sees("n2", "warm", view, bad)],
    );
    assert.equal(document.healthy, false);
    assert.equal(document.engine?.quorum, true);
    assert.deepEqual(statusLines(document).slice(1, 5), [
      "  n1  agent answers, online, registered on 1 LUNs",
      "  n2  agent answers, online",
      "      not in good standing: naa.1: barred: a stale mount",
      "  otherwise: n1 sees no quorum",
    ]);
  });

  test("no node can say how the cluster is", () => {
    const down = new Error("pacemaker does not run");
    const document = makeDocument("lab", ["home"], [sees("n1", "warm", down), silent("n2")]);
    assert.deepEqual([document.engine, document.healthy], [null, false]);
    assert.equal(statusLines(document)[0], "cluster lab: no node can say how the cluster is");
  });

  test("what makes a cluster unwell that serves", () => {
    const well = clusterAnswer({});
    const unwell: readonly Partial<ClusterAnswer>[] = [
      { quorum: false },
      { fencingEnabled: false },
      { maintenance: true },
      { nodes: [engineNode("n1"), engineNode("n2", { standby: true })] },
      { nodes: [engineNode("n1")] },
    ];
    for (const change of unwell) {
      const view = { ...well, ...change };
      const document = makeDocument("lab", ["home"], [sees("n1", "serving", view), sees("n2", "warm", view)]);
      assert.equal(document.healthy, false, JSON.stringify(change));
    }
  });
});
