import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { Fault, faultDocument } from "../base/fault.ts";
import { agentClient, type AgentClient } from "./client.ts";
import type { Timeline } from "./timeline.ts";

const TIMEOUT_MS = 20_000;
const TIMELINE: Timeline = {
  id: "1",
  kind: "takeover",
  fileserver: "home",
  node: "n1",
  startedAtMs: 0,
  outcome: "done",
  steps: [],
};

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return text;
}

describe("the agent's client", () => {
  let folder = "";
  let server: Server | undefined;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "hf-wire-"));
  });
  afterEach(async () => {
    server?.closeAllConnections();
    if (server !== undefined) await new Promise((resolve) => server?.close(resolve));
    server = undefined;
    rmSync(folder, { recursive: true, force: true });
  });

  const client = (timeoutMs = TIMEOUT_MS): AgentClient =>
    agentClient({ socket: join(folder, "agent.sock"), node: "n1", timeoutMs });

  async function serve(listener: RequestListener): Promise<void> {
    server = createServer(listener).listen(join(folder, "agent.sock"));
    await once(server, "listening");
  }

  /** Answers everything with this and writes down what was asked. */
  async function answering(answer: unknown, status = 200): Promise<readonly string[]> {
    const asked: string[] = [];
    const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      asked.push(`${request.method} ${request.url} ${await bodyOf(request)}`.trim());
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(answer));
    };
    await serve((request, response) => void respond(request, response));
    return asked;
  }

  test("each question has its path; names are never taken for paths", async () => {
    const asked = await answering({ timeline: TIMELINE });
    const agent = client();
    await agent.status();
    await agent.history("home");
    await agent.clients("home");
    await agent.prepare("home");
    assert.deepEqual(await agent.takeover("home", { fencedNode: "n2" }), TIMELINE);
    assert.deepEqual(await agent.release("a/../b"), TIMELINE);
    assert.deepEqual(await agent.release("home", { successorSystemId: "n2" }), TIMELINE);
    assert.deepEqual(asked, [
      "GET /v1/status",
      "GET /v1/fileservers/home/history",
      "GET /v1/fileservers/home/clients",
      "POST /v1/fileservers/home/prepare",
      'POST /v1/fileservers/home/takeover {"fencedNode":"n2"}',
      "POST /v1/fileservers/a%2F..%2Fb/release",
      'POST /v1/fileservers/home/release {"successorSystemId":"n2"}',
    ]);
  });

  test("an error document becomes the Fault that it was", async () => {
    const fault = new Fault({
      kind: "refused",
      code: "volume-reserved",
      what: "/dev/sda is reserved by node n2",
      why: "two writers",
      remedy: "release it there",
      cause: new Error("below", { cause: new Error("deepest") }),
    });
    await answering({ error: faultDocument(fault) }, 409);
    await assert.rejects(client().takeover("home"), (error) => {
      assert.ok(error instanceof Fault);
      assert.deepEqual(faultDocument(error), faultDocument(fault));
      return true;
    });
  });

  const unreachable = (why: RegExp) => (error: unknown) => {
    assert.ok(error instanceof Fault && error.code === "agent-unreachable");
    assert.match(error.message, /^the agent of n1 does not answer: /);
    assert.match(error.message, why);
    return true;
  };

  test("nobody listens", async () => {
    await assert.rejects(client().status(), unreachable(/ENOENT/));
  });

  test("no answer in time", async () => {
    await serve(() => undefined);
    await assert.rejects(client(20).status(), unreachable(/no answer within 20 ms/));
  });

  test("an agent that ends while it answers", async () => {
    await serve((_, response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write('{"half', () => response.destroy());
    });
    await assert.rejects(client().status(), unreachable(/aborted|hang up|ECONNRESET/));
  });

  test("garbage, whatever its status: no JSON, no error document, nothing", async () => {
    for (const [status, text] of [
      [200, "<html>"],
      [200, ""],
      [500, "oops"],
      [500, "{}"],
      [404, '{"error":"Not Found"}'],
    ] as const) {
      await serve((_, response) => void response.writeHead(status).end(text));
      await assert.rejects(client().status(), unreachable(/./), `${status} ${text}`);
      await new Promise((resolve) => server?.close(resolve));
    }
    server = undefined;
  });
});
