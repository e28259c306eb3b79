import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { Fault } from "../base/fault.ts";
import { connectQmp } from "./qmp.ts";

const GREETING = '{"QMP": {"version": {}, "capabilities": []}}\r\n';

interface Call {
  readonly execute: string;
  readonly id: number;
  readonly arguments: Record<string, unknown>;
}

/** A QEMU that answers with what `answer` writes. */
async function fakeQemu(
  context: TestContext,
  answer: (call: Call, socket: Socket) => void,
  greeting = GREETING,
): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "hf-qmp-"));
  const path = join(folder, "qmp");
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.write(greeting);
    let text = "";
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const lines = text.split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) {
        const call = JSON.parse(line) as Call;
        if (call.execute === "qmp_capabilities") socket.write(`{"return": {}, "id": ${call.id}}\n`);
        else answer(call, socket);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  context.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
    rmSync(folder, { recursive: true });
  });
  return path;
}

function isFault(code: string) {
  return (error: unknown): boolean => error instanceof Fault && error.code === code;
}

test("answers find their call, in whatever order and pieces they come, between events", async (context) => {
  const calls: Call[] = [];
  const path = await fakeQemu(context, (call, socket) => {
    calls.push(call);
    if (calls.length < 2) return;
    socket.write('{"event": "STOP", "data": {}}\n');
    const [first, second] = calls;
    const text = `{"return": "second", "id": ${second?.id}}\n{"return": {"status": "running"}, "id": ${first?.id}}\n`;
    socket.write(text.slice(0, 30));
    setImmediate(() => socket.write(text.slice(30)));
  });
  const qmp = await connectQmp(path);
  const answers = await Promise.all([qmp.execute("query-status"), qmp.execute("stop", { now: true })]);
  assert.deepEqual(answers, [{ status: "running" }, "second"]);
  assert.deepEqual(
    calls.map((call) => [call.execute, call.arguments]),
    [
      ["query-status", {}],
      ["stop", { now: true }],
    ],
  );
  qmp.close();
});

test("what QEMU refuses is a Fault with its words", async (context) => {
  const path = await fakeQemu(context, ({ id }, socket) => {
    socket.write(`{"error": {"class": "GenericError", "desc": "no such device"}, "id": ${id}}\n`);
  });
  const qmp = await connectQmp(path);
  await assert.rejects(
    qmp.execute("eject"),
    (error) => isFault("qmp-refused")(error) && /no such device/.test(String(error)),
  );
  qmp.close();
});

test("a QEMU that says nothing is given up after the bound", async (context) => {
  const path = await fakeQemu(context, () => undefined);
  const qmp = await connectQmp(path);
  await assert.rejects(qmp.execute("query-status", {}, 20), isFault("qmp-timed-out"));
  qmp.close();
  const silent = await fakeQemu(context, () => undefined, "");
  await assert.rejects(connectQmp(silent, 20), isFault("qmp-unreachable"));
});

test("a QEMU that ends, or was never there, or sends garbage", async (context) => {
  const ending = await connectQmp(await fakeQemu(context, (_, socket) => socket.destroy()));
  await assert.rejects(ending.execute("quit"), isFault("qmp-closed"));
  await assert.rejects(ending.execute("quit"), isFault("qmp-closed"));
  const garbling = await connectQmp(await fakeQemu(context, (_, socket) => socket.write("what?\n")));
  await assert.rejects(garbling.execute("query-status"), isFault("qmp-garbage"));
  await assert.rejects(connectQmp("/nonexistent/qmp"), isFault("qmp-unreachable"));
});
