import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { AgentStatus, FileserverStatus } from "../wire/agent.ts";
import type { NodeReply } from "./reach.ts";
import { makeDocument, statusLines } from "./status.ts";

function fileserver(name: string, state: FileserverStatus["state"]): FileserverStatus {
  return { name, state, because: [], addresses: [], connections: 0, nfsdThreads: 0 };
}

function answers(node: string, ...fileservers: readonly FileserverStatus[]): NodeReply<AgentStatus> {
  return { node, result: { ok: true, value: { node, cluster: "lab", version: "0", specHash: "aa", fileservers } } };
}

const silent = (node: string): NodeReply<AgentStatus> => ({
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
