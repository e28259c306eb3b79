import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Fault } from "../base/fault.ts";
import { askDirector, DIRECTOR_STATUS_PATH } from "./director.ts";

const folder = mkdtempSync(join(tmpdir(), "hf-ask-"));
const servers: Server[] = [];
after(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(folder, { recursive: true, force: true });
});

async function director(answer: RequestListener): Promise<string> {
  const socket = join(folder, `${servers.length}.sock`);
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => void server.listen(socket, resolve));
  return socket;
}

const fails = (what: RegExp) => (error: unknown) =>
  error instanceof Fault && error.code === "director-unreachable" && what.test(error.message);

test("a director's status", async () => {
  const socket = await director((incoming, outgoing) => {
    assert.equal(incoming.url, DIRECTOR_STATUS_PATH);
    outgoing.end('{"director":"lb"}');
  });
  assert.equal((await askDirector(socket, "d1", 2000)).director, "lb");
});

test("nobody, silence and nonsense are told with the machine's name", async () => {
  await assert.rejects(askDirector(join(folder, "none"), "d1", 2000), fails(/on d1 .*ENOENT/));
  await assert.rejects(askDirector(await director(() => undefined), "d1", 50), fails(/within 50 ms/));
  await assert.rejects(askDirector(await director((_, outgoing) => void outgoing.end("x")), "d1", 2000), fails(/d1/));
});
