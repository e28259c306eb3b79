/**
 * The scripts that Pacemaker starts (packaging/), run by the shell against the agent's own API on a real socket; the
 * fileserver, the LUNs and the machine's end are doubles.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir, uptime } from "node:os";
import { join } from "node:path";
import { after, afterEach, beforeEach, describe, test } from "node:test";
import { fakeNode } from "../../tests/fake-node.ts";
import { fakeControl } from "../../tests/fake-control.ts";
import { fakeLuns, type FakeLuns } from "../../tests/fake-luns.ts";
import { SAMPLE_SPEC } from "../../tests/sample-spec.ts";
import { Fault } from "../base/fault.ts";
import { known, unknown, type Observed } from "../base/observed.ts";
import { specHash } from "../model/derive.ts";
import { loadSpec } from "../model/load.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { systemClock } from "../system/clock.ts";
import { agentClient } from "../wire/client.ts";
import { serveApi } from "./api.ts";
import type { FileserverControl, FileserverSight } from "./fileserver.ts";
import type { Lun } from "./luns.ts";
import { openHushes } from "./hush.ts";
import type { Registration } from "./registration.ts";

const ROOT = join(import.meta.dirname, "../..");
const SPEC = loadSpec(SAMPLE_SPEC, "sample");
const KEYS = new Map([
  ["n1", "0x1"],
  ["n2", "0x2"],
]);
const LUNS: readonly Lun[] = [
  { name: "a", disk: "/dev/sda", fileservers: ["home"] },
  { name: "b", disk: "/dev/sdb", fileservers: ["media"] },
];
const SERVING: FileserverSight = { judgement: { state: "serving", lacks: [] }, empty: false };

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const folder = mkdtempSync(join(tmpdir(), "hf-shell-"));
const run = join(folder, "run");
const socket = join(run, "agent.sock");
const sysrq = join(folder, "sysrq");
const kmsg = join(folder, "kmsg");

const ENVIRONMENT = {
  PATH: "/usr/bin:/bin",
  HOLDFAST_RUN: run,
  HOLDFAST_CGROUPS: join(folder, "cgroups"),
  HOLDFAST_SYSRQ: sysrq,
  HOLDFAST_KMSG: kmsg,
};

function shell(
  script: string,
  args: readonly string[],
  { input = "", env = {} }: { input?: string; env?: NodeJS.ProcessEnv },
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn("/bin/sh", [join(ROOT, "packaging", script), ...args], { env: { ...ENVIRONMENT, ...env } });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.stdin.on("error", () => undefined);
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, stdout, stderr }));
    child.stdin.end(input);
  });
}

/** What is still waited for at the end of a test must not hold up the end of all of them. */
const CLOCK = {
  ...systemClock,
  sleep: (durationMs: number) => new Promise<void>((resolve) => void setTimeout(resolve, durationMs).unref()),
};

const ocf = (action: string, timeoutMs = 20_000, name = "home"): Promise<Ended> =>
  shell("ocf/fileserver", [action], {
    env: { OCF_RESKEY_name: name, OCF_RESKEY_CRM_meta_timeout: String(timeoutMs) },
  });
const fence = (options: Readonly<Record<string, string>>): Promise<Ended> =>
  shell("fence/fence_holdfast", [], {
    input: Object.entries(options)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(""),
  });

/** What the doubles answer; each test begins with all well. */
interface World {
  storage: FakeLuns;
  luns: Observed<readonly Lun[]>;
  refusal: Fault | undefined;
  readonly home: { -readonly [K in keyof FileserverControl]?: FileserverControl[K] };
  readonly downs: string[];
  askedAtS: number | undefined;
}

let world: World;
let close: (() => Promise<unknown>) | undefined;

async function startAgent(): Promise<void> {
  const home = fakeControl(SPEC.fileservers[0] as FileserverSpec, world.home);
  const registration: Registration = {
    luns: () => world.luns,
    standing: () => ({
      luns: [{ lun: "a", conclusion: "good", because: "this node's key stands" }],
      fenced: undefined,
      register: [],
      silence: [],
      good: world.refusal === undefined,
    }),
    refusal: (_fileserver, askedAtS) => {
      world.askedAtS = askedAtS;
      return world.refusal;
    },
    stop: () => undefined,
  };
  const node = fakeNode({
    engine: "pacemaker",
    reservations: world.storage.reservationsOf("n1"),
    clock: CLOCK,
  });
  const controls = new Map([["home", home]]);
  const goDown = (because: string): void => void world.downs.push(because);
  const cluster = { node, controls, registration, keys: KEYS, hushes: openHushes(node, controls), goDown };
  const api = await serveApi(socket, {
    node: "n1",
    version: "0",
    specHash: specHash(SPEC),
    spec: SPEC,
    controls,
    wallMs: () => 0,
    cluster,
  });
  close = () => api.close();
}

beforeEach(async () => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(run, { recursive: true });
  world = {
    storage: fakeLuns("/dev/sda", "/dev/sdb"),
    luns: known(LUNS),
    refusal: undefined,
    home: {},
    downs: [],
    askedAtS: undefined,
  };
  for (const [node, key] of KEYS)
    for (const { disk } of LUNS) await world.storage.reservationsOf(node).register(disk, key);
});
afterEach(async () => {
  await close?.();
  close = undefined;
});
after(() => rmSync(folder, { recursive: true, force: true }));

function keysOn(disk: string): readonly string[] {
  return [...(world.storage.luns.get(disk)?.registrations.values() ?? [])];
}

describe("the resource agent", () => {
  test("its metadata names what it does and what it needs, and needs no agent", async () => {
    const { status, stdout } = await ocf("meta-data");
    assert.equal(status, 0);
    for (const action of ["start", "stop", "monitor", "validate-all", "meta-data"])
      assert.match(stdout, new RegExp(`<action name="${action}" timeout="\\d+s"`));
    assert.match(stdout, /<parameter name="name" unique-group="name" required="1">/);
    assert.equal(stdout.match(/<[a-z]/g)?.length, stdout.match(/<\/|\/>/g)?.length ?? 0, "every element is closed");
  });

  test("start, monitor, stop, validate-all: what the agent says", async () => {
    world.home.sight = () => Promise.resolve(SERVING);
    await startAgent();
    assert.deepEqual([(await ocf("start")).status, (await ocf("monitor")).status], [0, 0]);
    world.home.check = () => Promise.resolve(["its NFS server does not answer"]);
    await close?.();
    await startAgent();
    const { status, stderr } = await ocf("monitor");
    assert.equal(status, 1);
    assert.match(stderr, /^ocf-exit-reason:its NFS server does not answer/m);
  });

  test("not running, and a stop of what is not here", async () => {
    await startAgent();
    assert.deepEqual([(await ocf("monitor")).status, (await ocf("stop")).status], [7, 0]);
  });

  test("a node that is not registered does not start it, and says why", async () => {
    world.refusal = new Fault({ kind: "refused", code: "not-registered", what: "n1 is not in good standing" });
    await startAgent();
    const { status, stderr } = await ocf("start", 2_000);
    assert.equal(status, 1);
    assert.match(stderr, /n1 is not in good standing/);
  });

  test("a start says when it was asked for, also where the agent that hears it was started later", async () => {
    const dying = await plainServer((_request, response) => response.destroy());
    const beforeS = uptime();
    const answer = ocf("start");
    await systemClock.sleep(1_000);
    await closed(dying);
    const restartedS = uptime();
    await startAgent();
    assert.equal((await answer).status, 0);
    const askedAtS = world.askedAtS ?? Number.NaN;
    // /proc/uptime has hundredths of a second.
    assert.ok(askedAtS >= beforeS - 0.02 && askedAtS < restartedS, `${beforeS} ${askedAtS} ${restartedS}`);
  });

  test("a fileserver that the spec does not have, a name that is none, an action that is none", async () => {
    await startAgent();
    assert.equal((await ocf("start", 20_000, "nobody")).status, 5);
    assert.equal((await ocf("start", 20_000, "a/../b")).status, 6);
    assert.equal((await ocf("start", 20_000, "")).status, 6);
    assert.equal((await ocf("promote")).status, 3);
  });

  test("an agent that dies while it is asked, and is started anew, is no failure", async () => {
    world.home.sight = () => Promise.resolve(SERVING);
    const dying = await plainServer((_request, response) => response.destroy());
    const answer = ocf("monitor");
    await systemClock.sleep(400);
    await closed(dying);
    await startAgent();
    assert.equal((await answer).status, 0);
    assert.ok(!existsSync(sysrq));
  });

  test("an agent that hangs: monitor fails within its bound; where nothing of it can be here, stop is done", async () => {
    const hanging = await plainServer(() => undefined);
    const { status, stderr } = await ocf("monitor", 2_000);
    assert.equal(status, 1);
    assert.match(stderr, /ocf-exit-reason:the agent gave no answer within 1 s/);
    assert.equal((await ocf("stop", 2_000)).status, 0);
    assert.ok(!existsSync(sysrq));
    await closed(hanging);
  });

  test("an agent that hangs, and namespaces that cannot be looked into: stop reboots the node", async () => {
    const hanging = await plainServer(() => undefined);
    mkdirSync(join(run, "fs/home"), { recursive: true });
    const { status } = await ocf("stop", 2_000);
    assert.equal(status, 1);
    assert.equal(readFileSync(sysrq, "utf8"), "b\n");
    assert.match(readFileSync(kmsg, "utf8"), /^<0>holdfast: fileserver home could not be stopped: the agent gave no/);
    await closed(hanging);
  });

  test("an agent that hangs, and processes that have no volume: stop is done", async () => {
    mkdirSync(join(run, "fs/home"), { recursive: true });
    mkdirSync(join(folder, "cgroups/holdfast-home.scope"), { recursive: true });
    writeFileSync(join(folder, "cgroups/holdfast-home.scope/cgroup.procs"), `${process.pid}\n`);
    assert.equal((await ocf("stop", 2_000)).status, 0);
    assert.ok(!existsSync(sysrq));
  });

  test("a stop that the agent cannot finish: the agent has the node go down", async () => {
    world.home.sight = () => Promise.resolve(SERVING);
    world.home.release = () => new Promise(() => undefined);
    await startAgent();
    assert.equal((await ocf("stop", 3_000)).status, 1);
    assert.match(world.downs[0] ?? "", /home could not be stopped/);
  });

  test("where no agent has run since the boot, nothing runs", async () => {
    rmSync(run, { recursive: true });
    assert.equal((await ocf("monitor", 2_000)).status, 7);
  });

  test("without curl: not installed", async () => {
    const { status } = await shell("ocf/fileserver", ["start"], {
      env: { OCF_RESKEY_name: "home", HOLDFAST_CURL: "/nonexistent/curl" },
    });
    assert.equal(status, 5);
  });
});

describe("the fence agent", () => {
  test("its metadata names its actions; asked by option or by argument", async () => {
    const { status, stdout } = await fence({ action: "metadata" });
    assert.equal(status, 0);
    for (const action of ["off", "reboot", "on", "status", "monitor", "list", "validate-all"])
      assert.match(stdout, new RegExp(`<action name="${action}"`));
    const byArgument = await shell("fence/fence_holdfast", ["-o", "metadata"], {});
    assert.equal(byArgument.stdout, stdout);
  });

  test("off and reboot take the node's keys from every LUN; status tells", async () => {
    await startAgent();
    assert.equal((await fence({ action: "status", port: "n2" })).status, 0);
    const { status, stderr } = await fence({ action: "reboot", nodename: "n2", plug: "n2", crm_feature_set: "3.1" });
    assert.equal(status, 0);
    assert.match(stderr, /n2: fenced/);
    assert.deepEqual([keysOn("/dev/sda"), keysOn("/dev/sdb")], [["0x1"], ["0x1"]]);
    assert.equal((await fence({ action: "status", port: "n2" })).status, 2);
    assert.equal((await fence({ action: "off", port: "n2" })).status, 0);
    const fences = await agentClient({ socket, node: "n1", timeoutMs: 20_000 }).fences();
    assert.deepEqual(
      fences.map(({ victim, node, outcome }) => [victim, node, outcome]),
      [
        ["n2", "n1", "fenced"],
        ["n2", "n1", "already"],
      ],
    );
  });

  test("by arguments, as a person types it", async () => {
    await startAgent();
    const { status } = await shell("fence/fence_holdfast", ["--action=off", "-n", "n2", "--agent-timeout=5"], {});
    assert.deepEqual([status, keysOn("/dev/sda")], [0, ["0x1"]]);
  });

  const refused: readonly (readonly [string, () => void])[] = [
    ["a LUN cannot be read", () => world.storage.faults.set("n1|/dev/sdb", "error")],
    ["a LUN gives no answer", () => world.storage.faults.set("n1|/dev/sdb", "hang")],
    ["not every LUN is found", () => (world.luns = unknown("the disks of media: no such group"))],
    ["this node is not registered itself", () => world.storage.luns.get("/dev/sdb")?.registrations.clear()],
  ];
  for (const [what, arrange] of refused) {
    test(`where ${what}, nobody is fenced and nothing is taken`, async () => {
      arrange();
      await startAgent();
      const { status } = await fence({ action: "off", port: "n2", agent_timeout: "2" });
      assert.equal(status, 1);
      assert.ok(keysOn("/dev/sda").includes("0x2"));
    });
  }

  test("on is refused with its reason; so are nodes that are none, and the node itself", async () => {
    await startAgent();
    const on = await fence({ action: "on", port: "n2" });
    assert.deepEqual([on.status, /registers by itself/.test(on.stderr)], [1, true]);
    for (const port of ["n1", "n9", "", "n2/../n2"])
      assert.equal((await fence({ action: "off", port })).status, 1, port);
    assert.equal((await fence({ action: "dance", port: "n2" })).status, 1);
    assert.equal((await fence({ action: "off", port: "n2", delay: "soon" })).status, 1);
    assert.ok(keysOn("/dev/sda").includes("0x2"));
  });

  test("monitor: this node could fence; list: whom", async () => {
    await startAgent();
    assert.equal((await fence({ action: "monitor" })).status, 0);
    assert.equal((await fence({ action: "list" })).stdout, "n1\nn2\n");
    world.refusal = new Fault({ code: "not-registered", what: "" });
    assert.equal((await fence({ action: "monitor" })).status, 1);
  });

  test("Pacemaker waits for the registration, and is told what it waits for", async () => {
    world.refusal = new Fault({ code: "not-registered", what: "" });
    await startAgent();
    const waits = shell("fence/fence_holdfast", ["--action=await", "--agent-timeout=5"], {});
    await systemClock.sleep(500);
    world.refusal = undefined;
    const { status, stderr } = await waits;
    assert.equal(status, 0);
    assert.match(stderr, /Pacemaker waits: n1 is not registered on every LUN/);
  });

  test("without an agent it fails within its bound", async () => {
    const { status, stderr } = await fence({ action: "off", port: "n2", agent_timeout: "1" });
    assert.deepEqual([status, /gave no answer within 1 s/.test(stderr)], [1, true]);
  });
});

function plainServer(answer: (request: unknown, response: { destroy(): unknown }) => unknown): Promise<Server> {
  const server = createServer((request, response) => void answer(request, response));
  return new Promise((resolve) => void server.listen(socket, () => resolve(server)));
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => void server.close(() => resolve()));
}
