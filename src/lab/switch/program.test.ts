import assert from "node:assert/strict";
import { existsSync, linkSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createConnection, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { Fault } from "../../base/fault.ts";
import { systemClock, waitFor } from "../../system/clock.ts";
import { isSwitchRunning, switchClient, waitForSwitch, type SwitchClient } from "./client.ts";
import { portSocketPath } from "./config.ts";
import { connectPeer, type FakePeer } from "./fake-peer.ts";
import { PORT_QUEUE_BYTES_MAX } from "./outlet.ts";
import type { PortState } from "./protocol.ts";
import { main, runSwitch, type RunningSwitch } from "./program.ts";

const BROADCAST = "ffffffffffff";
const A = "02000000000a";
const B = "02000000000b";
const C = "02000000000c";
const WAIT = { timeoutMs: 5_000, intervalMs: 2 };

interface Lab {
  readonly folder: string;
  readonly running: RunningSwitch;
  readonly client: SwitchClient;
  readonly peer: (machine: string, network?: string) => Promise<FakePeer>;
}

function makeFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "hf-sw-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function startLab(t: TestContext): Promise<Lab> {
  const folder = makeFolder(t);
  const networks = [
    { name: "lan", machines: ["n1", "n2", "c1"] },
    { name: "san", machines: ["n1", "n2"] },
  ];
  const peers: FakePeer[] = [];
  const running = await runSwitch({ folder, networks }, { clock: systemClock, log: () => undefined });
  t.after(async () => {
    await running.stop();
    for (const peer of peers) peer.socket.destroy();
  });
  const client = switchClient(folder);
  return {
    folder,
    running,
    client,
    peer: async (machine, network = "lan") => {
      const before = (await portState(client, machine, network)).connections;
      const peer = await connectPeer(portSocketPath(folder, network, machine));
      peers.push(peer);
      await until("the connection", async () => (await portState(client, machine, network)).connections > before);
      return peer;
    },
  };
}

async function portState(client: SwitchClient, machine: string, network = "lan"): Promise<PortState> {
  const { networks } = await client.ports();
  const port = networks.find(({ name }) => name === network)?.ports.find((port) => port.machine === machine);
  assert.ok(port, `no port ${network}/${machine}`);
  return port;
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const reached = await waitFor(systemClock, { what, ...WAIT }, async () => ((await holds()) ? true : undefined));
  assert.equal(reached, true, `timed out waiting for ${what}`);
}

function frame(to: string, from: string, payload: string): string {
  return `${to}${from}0800${payload}`;
}

/** Sends one line, or several, and resolves with the answers, parsed. */
function talk(folder: string, text: string, answers: number): Promise<Record<string, unknown>[]> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ path: join(folder, "switch.sock") });
    let said = "";
    socket.on("connect", () => socket.write(text));
    socket.on("data", (chunk) => {
      said += String(chunk);
      const lines = said.split("\n").slice(0, -1);
      if (lines.length < answers) return;
      socket.destroy();
      resolve(lines.map((line) => JSON.parse(line) as Record<string, unknown>));
    });
    socket.on("error", reject);
  });
}

const hasCode = (code: string) => (error: unknown) => error instanceof Fault && error.code === code;

test("three machines on a lan: broadcast reaches the others, a learned address is reached alone", async (t) => {
  const { client, peer } = await startLab(t);
  const [n1, n2, c1] = [await peer("n1"), await peer("n2"), await peer("c1")];
  n1.send(frame(BROADCAST, A, "01"));
  await Promise.all([n2.received(1), c1.received(1)]);
  c1.send(frame(A, C, "02"));
  await n1.received(1);
  assert.deepEqual(n1.frames, [frame(A, C, "02")]);
  assert.deepEqual(n2.frames, [frame(BROADCAST, A, "01")]);
  const state = await portState(client, "n1");
  assert.deepEqual(state.macs, ["02:00:00:00:00:0a"]);
  assert.deepEqual(
    [state.connected, state.fromMachine, state.toMachine],
    [true, { frames: 1, bytes: 15 }, { frames: 1, bytes: 15 }],
  );
});

test("networks are separate", async (t) => {
  const { peer } = await startLab(t);
  const [lan1, lan2, san1, san2] = [
    await peer("n1"),
    await peer("n2"),
    await peer("n1", "san"),
    await peer("n2", "san"),
  ];
  lan1.send(frame(BROADCAST, A, "01"));
  san1.send(frame(BROADCAST, B, "02"));
  await Promise.all([lan2.received(1), san2.received(1)]);
  assert.deepEqual([lan2.frames, san2.frames], [[frame(BROADCAST, A, "01")], [frame(BROADCAST, B, "02")]]);
});

test("a machine that starts again is served on the same socket, also when its old connection still stands", async (t) => {
  const { client, peer } = await startLab(t);
  const [n1, first] = [await peer("n1"), await peer("n2")];
  first.send(frame(BROADCAST, B, "01"));
  await n1.received(1);
  await first.close();
  await until("the disconnection", async () => !(await portState(client, "n2")).connected);
  assert.deepEqual((await portState(client, "n2")).macs, []);
  const second = await peer("n2");
  n1.send(frame(B, A, "02"));
  await second.received(1);
  const third = await peer("n2");
  n1.send(frame(B, A, "03"));
  await third.received(1);
  assert.deepEqual([second.frames, third.frames], [[frame(B, A, "02")], [frame(B, A, "03")]]);
  assert.equal((await portState(client, "n2")).connections, 3);
});

test("many frames of all sizes arrive whole and in order", async (t) => {
  const { peer } = await startLab(t);
  const [n1, n2] = [await peer("n1"), await peer("n2")];
  const sent = Array.from({ length: 500 }, (_, index) => frame(B, A, "5a".repeat((index * 37) % 1500)));
  for (const each of sent) n1.send(each);
  await n2.received(sent.length);
  assert.deepEqual(n2.frames, sent);
});

test("a machine that does not read loses what is past its queue's bound, and nobody else is held up", async (t) => {
  const { client, peer } = await startLab(t);
  const [n1, n2, c1] = [await peer("n1"), await peer("n2"), await peer("c1")];
  n2.socket.pause();
  const payload = "00".repeat(60_000);
  const frames = Math.ceil((PORT_QUEUE_BYTES_MAX * 1.5) / 60_000);
  for (let index = 0; index < frames; index += 1) n1.send(frame(BROADCAST, A, payload));
  await c1.received(frames);
  const dropped = (await portState(client, "n2")).dropped.queueFull;
  assert.ok(dropped > 0 && dropped < frames, `${dropped} dropped of ${frames}`);
  n2.socket.resume();
  await n2.received(frames - dropped);
});

test("a connection that announces an impossible frame is ended; the port goes on", async (t) => {
  const { client, peer } = await startLab(t);
  const bad = await peer("n1");
  bad.socket.write(Buffer.from("ffffffff", "hex"));
  await until("the disconnection", async () => !(await portState(client, "n1")).connected);
  const [n1, n2] = [await peer("n1"), await peer("n2")];
  n1.send(frame(BROADCAST, A, "01"));
  await n2.received(1);
});

test("rules: cut one way, delay, and heal", async (t) => {
  const { client, peer } = await startLab(t);
  const [n1, n2] = [await peer("n1"), await peer("n2")];
  const target = { network: "lan", machine: "n2" } as const;
  const cut = await client.setRule({ ...target, direction: "in" }, { cut: true });
  assert.deepEqual(cut.rules, [{ ...target, direction: "in", cut: true, loss: 0, delayMs: 0, jitterMs: 0 }]);
  n1.send(frame(B, A, "01"));
  n2.send(frame(A, B, "02"));
  await n1.received(1);
  await until("the drop", async () => (await portState(client, "n2")).dropped.cut === 1);
  assert.deepEqual(n2.frames, []);

  await client.setRule({ ...target, direction: "both" }, { cut: false, delayMs: 20 });
  const startMs = performance.now();
  n1.send(frame(B, A, "03"));
  await n2.received(1);
  assert.ok(performance.now() - startMs >= 20, "the delayed frame came early");
  assert.deepEqual((await client.rules()).rules.length, 2);
  assert.deepEqual((await client.heal({ machine: "n1" })).rules.length, 2);
  assert.deepEqual((await client.heal({ network: "lan", machine: "n2" })).rules, []);
});

test("capture writes what crosses its network, and is complete when stopped", async (t) => {
  const { folder, client, peer } = await startLab(t);
  const [n1, n2] = [await peer("n1"), await peer("n2")];
  const file = join(folder, "lan.pcap");
  await client.startCapture("lan", { file });
  await assert.rejects(client.startCapture("lan", { file }), hasCode("switch-capture-running"));
  n1.send(frame(BROADCAST, A, "01"));
  await n2.received(1);
  assert.equal((await client.ports()).networks[0]?.capture?.frames, 1);
  assert.deepEqual(await client.stopCapture("lan"), { file, frames: 1, bytes: 24 + 16 + 15 });
  assert.ok(
    readFileSync(file)
      .toString("hex")
      .endsWith(frame(BROADCAST, A, "01")),
  );
  await assert.rejects(client.stopCapture("lan"), hasCode("switch-capture-not-running"));
});

test("inject: a frame from nowhere, to one machine or all", async (t) => {
  const { client, peer } = await startLab(t);
  const [n1, n2] = [await peer("n1"), await peer("n2")];
  const rogue = Buffer.from(frame(BROADCAST, C, "01"), "hex");
  assert.deepEqual(await client.inject("lan", "n1", rogue), { machines: ["n1"] });
  assert.deepEqual(await client.inject("lan", "all", rogue), { machines: ["n1", "n2"] });
  await Promise.all([n1.received(2), n2.received(1)]);
});

test("ports can be added and removed while the switch runs", async (t) => {
  const { client, peer } = await startLab(t);
  const { path } = await client.addPort("lan", "c2");
  await assert.rejects(client.addPort("lan", "c2"), hasCode("switch-port-exists"));
  const [n1, c2] = [await peer("n1"), await peer("c2")];
  c2.send(frame(BROADCAST, C, "01"));
  await n1.received(1);
  await client.removePort("lan", "c2");
  assert.equal(existsSync(path), false);
  await assert.rejects(client.removePort("lan", "c2"), hasCode("switch-unknown-machine"));
});

test("bad requests get an answer that says what is wrong, and the switch goes on", async (t) => {
  const { folder, client } = await startLab(t);
  const bad = [
    "no json",
    "[1]",
    '{"request":"explode"}',
    '{"request":"set-rule","network":"lan","machine":"n1","direction":"sideways","cut":true}',
    '{"request":"set-rule","network":"lan","machine":"n1","direction":"in","loss":2}',
    '{"request":"set-rule","network":"lan","machine":"n1","direction":"in","cut":true,"extra":1}',
    '{"request":"set-rule","network":"moon","machine":"n1","direction":"in","cut":true}',
    '{"request":"heal","machine":"n9"}',
    '{"request":"inject","network":"lan","machine":"n1","frameHex":"abc"}',
    '{"request":"inject","network":"lan","machine":"n1","frameHex":"abcd"}',
    '{"request":"capture-start","network":"lan","file":"/no/such/folder/x.pcap"}',
    "x".repeat(300_000),
  ];
  const answers = await talk(folder, `${bad.join("\n")}\n`, bad.length);
  for (const [index, answer] of answers.entries()) {
    assert.equal(answer["ok"], false, bad[index] ?? "");
    const { what } = answer["error"] as { what: string };
    assert.ok(what.length > 20, what);
  }
  assert.match(JSON.stringify(answers[6]), /switch-unknown-network.*lan, san/);
  assert.deepEqual((await client.rules()).rules, []);
});

test("several requests on one connection are answered in order", async (t) => {
  const { folder } = await startLab(t);
  const set = '{"request":"set-rule","network":"san","machine":"n1","direction":"out","loss":0.5}\n';
  const answers = await talk(folder, `${set}\n{"request":"rules"}\n{"request":"heal"}\n`, 3);
  assert.deepEqual(answers[0], answers[1]);
  assert.deepEqual(answers[2], { ok: true, result: { rules: [] } });
});

test("shutdown answers, ends the switch and leaves no socket; a second switch is refused only while the first lives", async (t) => {
  const { folder, running, client } = await startLab(t);
  const config = { folder, networks: [{ name: "lan", machines: ["n1"] }] };
  await assert.rejects(runSwitch(config), hasCode("switch-already-running"));
  await client.shutDown();
  await running.stopped;
  assert.deepEqual(readdirSync(folder), []);
  assert.equal(await isSwitchRunning(folder), false);
  await assert.rejects(client.ports(), hasCode("switch-not-running"));
  const again = await runSwitch(config, { clock: systemClock, log: () => undefined });
  await waitForSwitch(systemClock, folder, 1_000);
  await again.stop();
});

test("sockets that a killed switch left are replaced; other files are left alone", async (t) => {
  const folder = makeFolder(t);
  const stale = ["switch.sock", "lan-n1.sock", "lan-gone.sock", "qmp-n1.sock"];
  for (const name of stale) await leaveStaleSocket(join(folder, name));
  writeFileSync(join(folder, "lan-notes.txt"), "");
  const running = await runSwitch(
    { folder, networks: [{ name: "lan", machines: ["n1"] }] },
    { clock: systemClock, log: () => undefined },
  );
  assert.deepEqual(readdirSync(folder).sort(), ["lan-n1.sock", "lan-notes.txt", "qmp-n1.sock", "switch.sock"]);
  await running.stop();
  assert.deepEqual(readdirSync(folder).sort(), ["lan-notes.txt", "qmp-n1.sock"]);
});

test("configurations that cannot work are refused before anything is made", async (t) => {
  const folder = makeFolder(t);
  const lan = { name: "lan", machines: ["n1"] };
  const refuse = async (config: Parameters<typeof runSwitch>[0], code: string): Promise<void> =>
    assert.rejects(runSwitch(config), hasCode(code));
  await refuse({ folder, networks: [lan, lan] }, "switch-config-invalid");
  await refuse({ folder, networks: [{ name: "lan", machines: ["n1", "n1"] }] }, "switch-config-invalid");
  await refuse({ folder, networks: [{ name: "lan", machines: ["all"] }] }, "switch-config-invalid");
  await refuse({ folder, networks: [{ name: "lan", machines: ["../x"] }] }, "switch-config-invalid");
  await refuse({ folder: "relative", networks: [lan] }, "switch-config-invalid");
  await refuse({ folder: join(folder, "x".repeat(90)), networks: [lan] }, "switch-socket-path-too-long");
  assert.deepEqual(readdirSync(folder), []);
});

test("the program tells wrong usage from failure by its exit status", async (t) => {
  const folder = makeFolder(t);
  const { stderr } = process;
  t.mock.method(stderr as { write: (text: string) => boolean }, "write", () => true);
  assert.equal(await main([]), 2);
  assert.equal(await main([join(folder, "missing.json")]), 2);
  writeFileSync(
    join(folder, "config.json"),
    JSON.stringify({ folder: join(folder, "no/such"), networks: [{ name: "lan", machines: [] }] }),
  );
  assert.equal(await main([join(folder, "config.json")]), 1);
});

/** Listens and goes away without removing the path, as a killed process does. */
async function leaveStaleSocket(path: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(`${path}.live`, resolve));
  linkSync(`${path}.live`, path);
  await new Promise((resolve) => server.close(resolve));
}
