import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SAMPLE_SPEC, sampleWith } from "../../tests/sample-spec.ts";
import { specHash } from "../model/derive.ts";
import { loadSpec } from "../model/load.ts";
import type { AgentStatus } from "../wire/agent.ts";
import { observeNode } from "./observe.ts";
import type { NodeReply } from "./reach.ts";

const desired = loadSpec(SAMPLE_SPEC, "desired");
const otherText = sampleWith(["[rw]", "[ro]"]);
const other = loadSpec(otherText, "other");

function answer(generation: string): NodeReply<AgentStatus> {
  const home = { name: "home", state: "serving" as const, because: [], addresses: [], connections: 0, nfsdThreads: 16 };
  const value = { node: "n1", cluster: "lab", version: "0.1.0", specHash: generation, wallMs: 0, fileservers: [home] };
  return { node: "n1", result: { ok: true, value } };
}

const mustNotRead = () => Promise.reject(new Error("was read"));

describe("a node is observed", () => {
  test("from its agent's answer alone where it works by the desired spec", async () => {
    const generation = specHash(desired);
    assert.deepEqual(await observeNode(desired, answer(generation), mustNotRead), {
      node: "n1",
      agent: { known: true, value: { state: "running", version: "0.1.0", generation } },
      spec: { known: true, value: { generation, spec: desired } },
      fileservers: { known: true, value: [{ name: "home", state: "serving" }] },
    });
  });

  test("with the spec that lies there where it works by another", async () => {
    const node = await observeNode(desired, answer(specHash(other)), () => Promise.resolve(otherText));
    assert.deepEqual(node.spec, { known: true, value: { generation: specHash(other), spec: other } });
  });

  const unknownSpec = async (readText: () => Promise<string>, says: RegExp) => {
    const node = await observeNode(desired, answer(specHash(other)), readText);
    assert.ok(!node.spec.known && says.test(node.spec.why), JSON.stringify(node.spec));
    assert.ok(node.fileservers.known);
  };

  test("with its spec unknown where the file cannot be read, is not valid, or is not what the agent works by", async () => {
    await unknownSpec(() => Promise.reject(new Error("ssh: no route")), /cannot be read: ssh: no route/);
    await unknownSpec(() => Promise.resolve("a: 1\n"), /not valid/);
    await unknownSpec(() => Promise.resolve(SAMPLE_SPEC), /restart it there/);
  });

  test("as unknown in every part where its agent does not answer", async () => {
    const reply = { node: "n2", result: { ok: false, error: new Error("n2 cannot be reached by ssh") } } as const;
    const nothing = { known: false, why: "n2 cannot be reached by ssh" };
    assert.deepEqual(await observeNode(desired, reply, mustNotRead), {
      node: "n2",
      agent: nothing,
      spec: nothing,
      fileservers: nothing,
    });
  });
});
