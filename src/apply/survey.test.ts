import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SAMPLE_SPEC, sampleWith } from "../../tests/sample-spec.ts";
import { recorded } from "../../tests/expected-commands.ts";
import { specHash } from "../model/derive.ts";
import { loadSpec } from "../model/load.ts";
import type { AgentStatus } from "../wire/agent.ts";
import { SPEC_PATH, type Look } from "./look.ts";
import type { NodeShell } from "./node-shell.ts";
import { combine, survey, type AgentReply } from "./survey.ts";

const desired = loadSpec(SAMPLE_SPEC, "desired");
const otherText = sampleWith(["[rw]", "[ro]"]);
const other = loadSpec(otherText, "other");

function look(specText: string | undefined, more: Partial<Look> = {}, program = true): Look {
  return {
    system: {
      os: { id: "debian", version: "13" },
      hostname: "n1",
      packages: new Set(),
      files: new Map(specText === undefined ? [] : [[SPEC_PATH, specText]]),
      units: new Map(),
      program: program ? { state: "present", version: undefined } : { state: "absent" },
      authkeyDigest: undefined,
      systemId: undefined,
      volumeGroups: new Map(),
      devices: new Map(),
      secrets: new Map(),
      generation: 0,
      clockSynchronised: undefined,
      clockAheadMs: 0,
      names: new Map(),
      firewall: "none",
      timeScale: 1,
    },
    scopes: [],
    cib: undefined,
    clusterState: undefined,
    ...more,
  };
}

function answer(generation: string): AgentReply {
  const home = { name: "home", state: "serving" as const, because: [], addresses: [], connections: 0, nfsdThreads: 16 };
  const value: AgentStatus = {
    node: "n1",
    cluster: "lab",
    version: "0.1.0",
    specHash: generation,
    wallMs: 0,
    fileservers: [home],
  };
  return { node: "n1", result: { ok: true, value } };
}

const silence: AgentReply = { node: "n1", result: { ok: false, error: new Error("no answer") } };
const looked = (found: Look) => ({ node: "n1", ok: true, look: found }) as const;

describe("a node is observed", () => {
  test("from its agent's answer where it works by the desired spec", () => {
    const generation = specHash(desired);
    const node = combine(desired, looked(look(undefined)), answer(generation));
    assert.deepEqual(node.agent, { known: true, value: { state: "running", version: "0.1.0", generation } });
    assert.deepEqual(node.spec, { known: true, value: { generation, spec: desired } });
    assert.deepEqual(node.fileservers, { known: true, value: [{ name: "home", state: "serving" }] });
    assert.deepEqual(node.system?.known === true ? node.system.value.program : undefined, {
      state: "present",
      version: "0.1.0",
    });
  });

  test("with the spec that lies there where it works by another", () => {
    const node = combine(desired, looked(look(otherText)), answer(specHash(other)));
    assert.deepEqual(node.spec, { known: true, value: { generation: specHash(other), spec: other } });
  });

  const unknownSpec = (text: string | undefined, says: RegExp): void => {
    const node = combine(desired, looked(look(text)), answer(specHash(other)));
    assert.ok(!node.spec.known && says.test(node.spec.why), JSON.stringify(node.spec));
    assert.ok(node.fileservers.known);
  };

  test("with its spec unknown where the file is gone, not valid, or not what the agent works by", () => {
    unknownSpec(undefined, /no longer in/);
    unknownSpec("a: 1\n", /not valid/);
    unknownSpec(SAMPLE_SPEC, /restart it there/);
  });

  test("without an agent: absent or stopped, and empty only where no process of a fileserver is left", () => {
    const bare = combine(desired, looked(look(undefined, {}, false)), silence);
    assert.deepEqual(bare.agent, { known: true, value: { state: "absent" } });
    assert.deepEqual(bare.fileservers, { known: true, value: [] });
    const stopped = combine(desired, looked(look(SAMPLE_SPEC, { scopes: ["home"] })), silence);
    assert.deepEqual(stopped.agent, { known: true, value: { state: "stopped" } });
    assert.equal(stopped.fileservers.known, false);
    const running = look(SAMPLE_SPEC);
    const units = new Map([["holdfast-agent.service", { masked: false, enabled: true, active: true }]]);
    const mute = combine(desired, looked({ ...running, system: { ...running.system, units } }), silence);
    assert.equal(mute.agent.known, false);
  });

  test("as unknown in every part where its shell does not answer", () => {
    const node = combine(desired, { node: "n2", ok: false, error: new Error("no route") }, undefined);
    for (const part of [node.agent, node.spec, node.fileservers, node.system]) {
      assert.deepEqual(part, { known: false, why: "no route" });
    }
  });
});

describe("a survey", () => {
  const shellSaying = (answers: Readonly<Record<string, string>>) => {
    const asked: string[] = [];
    const open = (node: string): NodeShell => ({
      node,
      commands: { run: () => Promise.reject(new Error("not here")) },
      run: () => Promise.reject(new Error("not here")),
      must: () => {
        asked.push(node);
        const text = answers[node];
        return text === undefined ? Promise.reject(new Error("no route")) : Promise.resolve(text);
      },
      put: () => Promise.reject(new Error("not here")),
      read: () => Promise.reject(new Error("not here")),
    });
    return { open, asked };
  };
  const base64 = (text: string): string => Buffer.from(text).toString("base64");

  test("looks also at nodes that an older spec names, and asks the cluster once", async () => {
    const withThird = sampleWith(["  ssh: {", "    - { name: n3, addresses: [10.77.0.13, 10.78.0.13] }\n  ssh: {"]);
    const n1 = `file ${SPEC_PATH}\t${base64(withThird)}\nprogram\t0.1.0\nstate\t${base64(recorded("pacemaker/crm-mon-3.0.xml"))}\nend\tend\n`;
    const { open, asked } = shellSaying({ n1, n2: "end\tend\n", n3: "end\tend\n" });
    const found = await survey(desired, { shell: open, askAgents: () => Promise.resolve([]), wallMs: () => 0 });
    assert.deepEqual(asked, ["n1", "n2", "n3"]);
    assert.deepEqual(
      found.observed.nodes.map((node) => node.node),
      ["n1", "n2", "n3"],
    );
    const { cluster } = found.observed;
    assert.ok(cluster?.known === true);
    assert.equal(cluster.value?.fileservers.get("media"), "n2");
  });

  test("goes on without a node that does not answer", async () => {
    const { open } = shellSaying({ n1: "end\tend\n" });
    const found = await survey(desired, { shell: open, askAgents: () => Promise.resolve([silence]), wallMs: () => 0 });
    assert.deepEqual([...found.looks.keys()], ["n1"]);
    assert.equal(found.observed.nodes[1]?.agent.known, false);
    assert.deepEqual(found.observed.cluster, { known: true, value: undefined });
  });
});
