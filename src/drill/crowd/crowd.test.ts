/** The crowd against a server that is none, over real sockets on loopback. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { systemClock, waitFor } from "../../system/clock.ts";
import type { CrowdConfig, CrowdStatus } from "./config.ts";
import { openCrowd, type Crowd } from "./crowd.ts";
import { startFakeServer, type FakeServer } from "./fake-server.ts";
import { answerNotify, answerPortmap } from "./notify-server.ts";

const ADDRESSES = ["127.77.0.1", "127.77.0.2", "127.77.0.3"];

async function withCrowd(
  body: (crowd: Crowd, server: FakeServer, config: CrowdConfig) => Promise<void>,
): Promise<void> {
  const server = await startFakeServer();
  const folder = mkdtempSync(join(tmpdir(), "holdfast-crowd-"));
  const base = 20_000 + (process.pid % 20_000);
  const config: CrowdConfig = {
    host: "127.0.0.1",
    addresses: ADDRESSES,
    exportPath: "/export/data",
    directory: "holdfast-drill",
    session: "test",
    folder,
    sourcePorts: [base + 10, base + 200],
    serverPortmapPort: server.port,
    ownPortmapPort: base,
    notifyPort: base + 1,
    aliveIntervalMs: 30,
    atOnce: 2,
    retryMs: 5,
  };
  const crowd = await openCrowd(config);
  try {
    await body(crowd, server, config);
  } finally {
    await crowd.stop();
    await server.close();
    rmSync(folder, { recursive: true });
  }
}

function until(crowd: Crowd, done: (status: CrowdStatus) => boolean): Promise<true | undefined> {
  const bound = { what: "the crowd", timeoutMs: 5_000, intervalMs: 5 };
  return waitFor(systemClock, bound, async () => (done(crowd.status()) ? true : undefined));
}

describe("a crowd", () => {
  test("locks, is notified after a restart, and reclaims within the grace", async () => {
    await withCrowd(async (crowd, server, { ownPortmapPort, notifyPort }) => {
      await crowd.start();
      assert.deepEqual(
        [...server.locks],
        [1, 2, 3].map((at) => [`test-${at}.lock`, `crowd-${at}`]),
      );
      assert.deepEqual(await crowd.look(), { held: ADDRESSES, lost: [], unknown: [] });
      server.restart();
      for (const address of ADDRESSES) assert.equal(await server.notify(address, ownPortmapPort, 5), notifyPort);
      assert.ok(await until(crowd, ({ members }) => members.every(({ reclaims }) => reclaims === 1)));
      // A datagram that comes twice is one notification.
      await server.notify("127.77.0.1", ownPortmapPort, 5);
      server.endGrace();
      assert.deepEqual((await crowd.look()).held, ADDRESSES);
      const { members, nowUs } = crowd.status();
      for (const { phase, states, reclaims, notifiedUs, reclaimedUs } of members) {
        assert.deepEqual([phase, states, reclaims], ["holding", [5], 1]);
        assert.ok(0 < notifiedUs && notifiedUs <= reclaimedUs && reclaimedUs <= nowUs);
      }
      assert.deepEqual(server.reclaimed.toSorted(), ["crowd-1", "crowd-2", "crowd-3"]);
    });
  });

  test("a client that is not notified, and one that comes too late, have lost their locks", async () => {
    await withCrowd(async (crowd, server, { ownPortmapPort }) => {
      await crowd.start();
      server.restart();
      await server.notify("127.77.0.1", ownPortmapPort, 7);
      assert.ok(await until(crowd, ({ members }) => members[0]?.reclaims === 1));
      server.endGrace();
      await server.notify("127.77.0.2", ownPortmapPort, 7);
      assert.ok(await until(crowd, ({ members }) => members[1]?.phase === "lost"));
      assert.deepEqual(await crowd.look(), { held: ["127.77.0.1"], lost: ["127.77.0.2", "127.77.0.3"], unknown: [] });
      const third = crowd.status().members[2];
      assert.deepEqual([third?.phase, third?.states], ["holding", []], "it does not know");
    });
  });

  test("gives every lock back in the end", async () => {
    await withCrowd(async (crowd, server) => {
      await crowd.start();
      await crowd.stop();
      assert.equal(server.locks.size, 0);
    });
  });
});

test("what is no question for the portmapper and no notification is not answered", () => {
  assert.equal(answerPortmap(new Uint8Array(8), 1), undefined);
  assert.equal(
    answerNotify(new Uint8Array(40), () => assert.fail()),
    undefined,
  );
});
