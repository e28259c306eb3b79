/** With real sockets on loopback. */
import assert from "node:assert/strict";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import type { Server as HttpServer } from "node:http";
import { after, describe, test } from "node:test";
import { ROLES_PATH, type RoleAnswer } from "../wire/role.ts";
import { serveSigned } from "../wire/signed-http.ts";
import { askNfs, askRole } from "./ask-server.ts";

const SECRET = "0123456789abcdef0123456789abcdef";
const servers: (Server | HttpServer)[] = [];
after(() => {
  for (const server of servers) {
    if ("closeAllConnections" in server) server.closeAllConnections();
    server.close();
  }
});

async function listen(onConnect: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    onConnect(socket);
  });
  servers.push(server);
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

/** What an NFS server answers: the xid of the call in an accepted reply. */
function reply(call: Buffer): Buffer {
  const words = Buffer.alloc(28);
  words.writeUInt32BE(0x80000018, 0);
  call.copy(words, 4, 4, 8);
  words.writeUInt32BE(1, 8);
  return words;
}

const ask = (port: number, more: Partial<Parameters<typeof askNfs>[0]> = {}) =>
  askNfs({ how: "rpc", address: "127.0.0.1", port, timeoutMs: 60, tries: 2, xid: 0xffffffff, ...more });

describe("NFS", () => {
  test("answers", async () => {
    const port = await listen((socket) => socket.on("data", (call: Buffer) => socket.write(reply(call))));
    assert.equal(await ask(port), "answers");
  });

  test("an answer in pieces is one", async () => {
    const port = await listen((socket) =>
      socket.on("data", (call: Buffer) => {
        const whole = reply(call);
        socket.write(whole.subarray(0, 6));
        setTimeout(() => socket.write(whole.subarray(6)), 5);
      }),
    );
    assert.equal(await ask(port), "answers");
  });

  test("hangs: the kernel takes the connection and nobody the call; TCP alone sees nothing of it", async () => {
    let calls = 0;
    const port = await listen((socket) => socket.on("data", () => (calls += 1)));
    assert.equal(await ask(port), "silent");
    assert.equal(calls, 2);
    assert.equal(await ask(port, { how: "tcp" }), "answers");
  });

  test("answers at the second try", async () => {
    let calls = 0;
    const port = await listen((socket) =>
      socket.on("data", (call: Buffer) => {
        calls += 1;
        if (calls > 1) socket.write(reply(call));
      }),
    );
    assert.equal(await ask(port), "answers");
  });

  test("another program's answer, and none at all, are no answer", async () => {
    assert.equal(await ask(await listen((socket) => socket.write("SSH-2.0-OpenSSH_10.0\r\n"))), "silent");
    assert.equal(await ask(await listen((socket) => socket.end())), "silent");
  });

  test("a closed port refuses", async () => {
    const port = await listen(() => undefined);
    await new Promise((resolve) => servers.pop()?.close(resolve));
    assert.equal(await ask(port), "refuses");
    assert.equal(await ask(port, { how: "tcp" }), "refuses");
  });
});

async function agent(answer: unknown): Promise<number> {
  const routes = [{ method: "GET", path: ROLES_PATH, answer: () => Promise.resolve(answer) }] as const;
  const server = await serveSigned({ port: 0, host: "127.0.0.1", secret: SECRET, routes });
  servers.push(server);
  return (server.address() as AddressInfo).port;
}

const ANSWER: RoleAnswer = { cluster: "lab", node: "n1", fileservers: [{ name: "home", role: "serving", term: 4 }] };

describe("the role", () => {
  const question = { cluster: "lab", node: "n1", fileserver: "home", secret: SECRET, timeoutMs: 500 };

  test("as the agent says it, whichever address answers", async () => {
    const port = await agent(ANSWER);
    // 127.0.0.9 has nobody on that port.
    const role = await askRole({ ...question, addresses: ["127.0.0.9", "127.0.0.1"], port });
    assert.deepEqual(role, { known: true, value: { role: "serving", term: 4 } });
  });

  test("is unknown where nobody answers, or somebody else does", async () => {
    const port = await agent(ANSWER);
    const unknown = async (more: Partial<typeof question>, at = port) =>
      askRole({ ...question, addresses: ["127.0.0.1"], port: at, ...more });
    for (const role of [
      await unknown({ secret: SECRET.replace("0", "1") }),
      await unknown({ node: "n2" }),
      await unknown({ cluster: "other" }),
      await unknown({ fileserver: "media" }),
      await unknown({}, await agent({ cluster: "lab", node: "n1", fileservers: "none" })),
    ]) {
      assert.ok(!role.known);
      assert.ok(role.why.length > 10, role.why);
    }
  });
});
