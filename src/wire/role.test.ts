import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, describe, test } from "node:test";
import { Fault } from "../base/fault.ts";
import {
  answerSignature,
  makeNonce,
  NONCE_HEADER,
  noticeSchema,
  requestSignature,
  roleAnswerSchema,
  sameSignature,
  SIGNATURE_HEADER,
} from "./role.ts";
import { askSigned, serveSigned, type SignedRoute } from "./signed-http.ts";

const SECRET = "0123456789abcdef0123456789abcdef";
const servers: Server[] = [];
after(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

function portOf(server: Server): number {
  servers.push(server);
  return (server.address() as AddressInfo).port;
}

const ECHO: SignedRoute = { method: "POST", path: "/v1/echo", answer: (body) => Promise.resolve({ body }) };
const BROKEN: SignedRoute = { method: "GET", path: "/v1/broken", answer: () => Promise.reject(new Error("no luck")) };

async function serve(): Promise<number> {
  return portOf(await serveSigned({ port: 0, host: "127.0.0.1", secret: SECRET, routes: [ECHO, BROKEN] }));
}

function call(port: number, more: Partial<Parameters<typeof askSigned>[0]> = {}) {
  return askSigned({
    host: "127.0.0.1",
    port,
    method: "POST",
    path: "/v1/echo",
    body: { a: 1 },
    secret: SECRET,
    timeoutMs: 2000,
    ...more,
  });
}

function fails(what: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof Fault && error.code === "no-signed-answer" && what.test(error.message);
}

describe("a signed call", () => {
  test("is answered", async () => {
    assert.deepEqual(await call(await serve()), { body: { a: 1 } });
  });

  test("with another secret it is not", async () => {
    await assert.rejects(call(await serve(), { secret: SECRET.replace("0", "1") }), fails(/does not know our secret/));
  });

  test("failures are signed too, and told as such", async () => {
    const port = await serve();
    await assert.rejects(call(port, { method: "GET", path: "/v1/broken" }), fails(/status 500/));
    await assert.rejects(call(port, { path: "/v1/other" }), fails(/status 404/));
  });

  test("nobody there, and nobody who speaks", async () => {
    const port = await serve();
    const closed = servers.pop();
    await new Promise((resolve) => closed?.close(resolve));
    await assert.rejects(call(port), fails(/ECONNREFUSED/));
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => void silent.listen(0, "127.0.0.1", resolve));
    await assert.rejects(call(portOf(silent), { timeoutMs: 50 }), fails(/within 50 ms/));
  });

  test("an old answer, or an unsigned one, is not taken", async () => {
    for (const nonce of ["an earlier nonce", undefined]) {
      const old = createServer((_, outgoing) => {
        const headers = nonce === undefined ? {} : { [SIGNATURE_HEADER]: answerSignature(SECRET, nonce, 200, "{}") };
        outgoing.writeHead(200, headers).end("{}");
      });
      await new Promise<void>((resolve) => void old.listen(0, "127.0.0.1", resolve));
      await assert.rejects(call(portOf(old)), fails(/not signed/));
    }
  });

  test("a changed request is not answered", async () => {
    const port = await serve();
    const nonce = makeNonce();
    const signature = requestSignature(SECRET, { method: "POST", path: "/v1/echo", nonce, body: "{}" });
    const send = (body: string) =>
      fetch(`http://127.0.0.1:${port}/v1/echo`, {
        method: "POST",
        body,
        headers: { [NONCE_HEADER]: nonce, [SIGNATURE_HEADER]: signature },
      });
    assert.equal((await send("{}")).status, 200);
    const refused = await send('{"a":1}');
    assert.equal(refused.status, 401);
    assert.equal(await refused.text(), "");
  });

  test("a port that is taken is a fault", async () => {
    const port = await serve();
    await assert.rejects(
      serveSigned({ port, host: "127.0.0.1", secret: SECRET, routes: [] }),
      (error) => error instanceof Fault && error.code === "port-not-free",
    );
  });
});

test("signatures are compared whole", () => {
  assert.ok(sameSignature("abc", "abc"));
  for (const other of ["abd", "ab", "", undefined, ["abc"]]) assert.ok(!sameSignature(other, "abc"));
});

test("messages are what they should be, or nothing", () => {
  const answer = { cluster: "lab", node: "n1", fileservers: [{ name: "home", role: "serving", term: 3 }] };
  assert.deepEqual(roleAnswerSchema.parse(answer), answer);
  assert.ok(!roleAnswerSchema.safeParse({ ...answer, fileservers: [{ name: "home", role: "king" }] }).success);
  assert.ok(!noticeSchema.safeParse({ cluster: "lab", node: "n1", fileserver: "home" }).success);
});
