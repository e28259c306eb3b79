/** The agent's face, asked by its own client over a real socket; what it controls are doubles. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fakeControl } from "../../tests/fake-control.ts";
import { SAMPLE_SPEC } from "../../tests/sample-spec.ts";
import { Fault } from "../base/fault.ts";
import { reservationKey, specHash } from "../model/derive.ts";
import { loadSpec } from "../model/load.ts";
import type { FileserverSpec } from "../model/spec.ts";
import type { FileserverStatus } from "../wire/agent.ts";
import { agentClient, type AgentClient } from "../wire/client.ts";
import type { ClientsAnswer } from "../wire/clients.ts";
import type { Timeline } from "../wire/timeline.ts";
import { serveApi } from "./api.ts";
import { RunFault } from "./history.ts";

const SPEC = loadSpec(SAMPLE_SPEC, "sample");
const TIMELINE: Timeline = {
  id: "1",
  kind: "takeover",
  fileserver: "home",
  node: "n1",
  startedAtMs: 0,
  outcome: "done",
  steps: [],
};
const GRACE_OVER = { lasts: false, because: [] };
const CLIENTS: ClientsAnswer = {
  fileserver: "home",
  node: "n1",
  grace: { v3: GRACE_OVER, v4: GRACE_OVER },
  clients: [],
  v3Locks: 3,
};
const STATUS: FileserverStatus = {
  name: "home",
  state: "warm",
  because: [],
  addresses: ["10.77.0.50/24"],
  connections: 0,
  nfsdThreads: 0,
};

function hasCode(code: string, kind: Fault["kind"]) {
  return (error: unknown): boolean => error instanceof Fault && error.code === code && error.kind === kind;
}

describe("the agent's face", () => {
  let folder = "";
  let socket = "";
  let client: AgentClient;
  let close: () => Promise<void>;
  const called: unknown[] = [];
  const home = fakeControl(SPEC.fileservers[0] as FileserverSpec, {
    status: () => Promise.resolve(STATUS),
    clients: () => Promise.resolve(CLIENTS),
    prepare: () => Promise.resolve("n1"),
    takeover: (circumstances) => {
      called.push(circumstances);
      return Promise.resolve(TIMELINE);
    },
    release: (successorSystemId) => {
      called.push(successorSystemId);
      if (successorSystemId === "broken") {
        const fault = new Fault({ kind: "refused", code: "volume-busy", what: "in use" });
        return Promise.reject(new RunFault(fault, { ...TIMELINE, outcome: "failed" }));
      }
      return Promise.resolve(TIMELINE);
    },
    announce: (successorSystemId) => void called.push(`announced ${successorSystemId}`),
    history: () => [TIMELINE],
  });

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "hf-api-"));
    socket = join(folder, "agent.sock");
    writeFileSync(socket, "left by an agent that was killed");
    const controls = new Map([["home", home]]);
    const api = await serveApi(socket, {
      node: "n1",
      version: "0",
      specHash: specHash(SPEC),
      spec: SPEC,
      controls,
      wallMs: () => 7,
    });
    close = () => api.close();
    client = agentClient({ socket, node: "n1", timeoutMs: 20_000 });
  });
  after(async () => {
    await close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("its socket is for root alone", () => {
    assert.ok(statSync(socket).isSocket());
    assert.equal(statSync(socket).mode & 0o777, 0o600);
  });

  test("status and history", async () => {
    assert.deepEqual(await client.status(), {
      node: "n1",
      cluster: "lab",
      version: "0",
      specHash: specHash(SPEC),
      wallMs: 7,
      fileservers: [STATUS],
    });
    assert.deepEqual(await client.history("home"), [TIMELINE]);
    assert.deepEqual(await client.history("home", "1"), []);
    assert.deepEqual(await client.history("home", "forgotten"), [TIMELINE]);
    assert.deepEqual(await client.prepare("home"), { systemId: "n1" });
    assert.deepEqual(await client.clients("home"), CLIENTS);
  });

  test("a takeover: with nothing, after a release, over a node that is down", async () => {
    called.length = 0;
    await client.takeover("home");
    await client.takeover("home", { handedOver: true });
    await client.takeover("home", { fencedNode: "n2" });
    const fencedKey = `0x${BigInt(`0x${reservationKey("lab", "n2")}`).toString(16)}`;
    assert.deepEqual(called, [{ handedOver: false }, { handedOver: true }, { fencedKey, handedOver: false }]);
  });

  test("only another node of the cluster can be said to be down", async () => {
    called.length = 0;
    for (const fencedNode of ["n1", "n9", ""])
      await assert.rejects(client.takeover("home", { fencedNode }), hasCode("unknown-node", "invalid"), fencedNode);
    assert.deepEqual(called, []);
  });

  test("a release names its successor in the characters that LVM allows, or not at all", async () => {
    called.length = 0;
    await client.release("home");
    await client.release("home", { successorSystemId: "n2.lab_1+x-y" });
    assert.deepEqual(called, [undefined, "n2.lab_1+x-y"]);
    for (const successorSystemId of ['n2"] global/x=["', "n 2", ""])
      await assert.rejects(client.release("home", { successorSystemId }), hasCode("invalid-request", "invalid"));
    assert.equal(called.length, 2);
  });

  test("a planned move is announced with the successor's name for LVM, and with no other characters", async () => {
    called.length = 0;
    await client.handover("home", { successorSystemId: "n2" });
    assert.deepEqual(called, ["announced n2"]);
    await assert.rejects(client.handover("home", { successorSystemId: "n 2" }), hasCode("invalid-request", "invalid"));
  });

  test("an unknown fileserver", async () => {
    await assert.rejects(client.release("nobody"), hasCode("unknown-fileserver", "invalid"));
  });

  test("a run that failed: its fault, its timeline, and the status of its kind", async () => {
    await assert.rejects(client.release("home", { successorSystemId: "broken" }), hasCode("volume-busy", "refused"));
    const [status, answer] = await ask(socket, "release", '{"successorSystemId":"broken"}');
    assert.equal(status, 409);
    assert.deepEqual((answer as { timeline: Timeline }).timeline.outcome, "failed");
  });

  test("what nobody understands is refused before anything is done", async () => {
    called.length = 0;
    for (const body of ["{", '{"fenced":"n2"}', "[]", '"n2"', '{"fencedNode":2}']) {
      const [status, answer] = await ask(socket, "takeover", body);
      assert.notEqual(status, 200, body);
      assert.ok("error" in (answer as object), body);
    }
    assert.deepEqual(called, []);
  });
});

function ask(socketPath: string, verb: string, body: string): Promise<readonly [number, unknown]> {
  return new Promise((resolve, reject) => {
    const path = `/v1/fileservers/home/${verb}`;
    const headers = { "content-type": "application/json" };
    const call = request({ socketPath, method: "POST", path, headers }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.on("end", () => resolve([response.statusCode ?? 0, JSON.parse(text)]));
    });
    call.on("error", reject);
    call.end(body);
  });
}
