/** `holdfast director`: the resident program on a director's machine. */
import { randomInt } from "node:crypto";
import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { hostname, networkInterfaces } from "node:os";
import { dirname } from "node:path";
import { directorSettings } from "../balance/kernel-settings.ts";
import { Fault, messageOf } from "../base/fault.ts";
import { defined } from "../base/assert.ts";
import {
  loadIpvs,
  readConnections,
  readCounts,
  readTable,
  routeTo,
  setTimeouts,
  startSync,
  takeAddress,
} from "../ipvs/kernel.ts";
import { specHash } from "../model/derive.ts";
import type { DirectorServerSpec, DirectorServiceSpec, DirectorSpec } from "../model/director-spec.ts";
import { loadSpec } from "../model/load.ts";
import type { Spec } from "../model/spec.ts";
import { systemClock } from "../system/clock.ts";
import { systemCommands, type Commands } from "../system/commands.ts";
import { readNodeSpec } from "../system/node-spec.ts";
import { readSecret } from "../system/secret-file.ts";
import { DIRECTOR_STATUS_PATH, type DirectorStatus } from "../wire/director.ts";
import { makeNonce, NOTICES_PATH, noticeSchema } from "../wire/role.ts";
import { serveSigned } from "../wire/signed-http.ts";
import { makeApplier } from "./applier.ts";
import { askNfs, askRole } from "./ask-server.ts";
import { checkEveryMs, checkServer } from "./check.ts";
import { makeCore, type Core } from "./core.ts";
import { noticeTaker } from "./notices.ts";
import { serviceStatus, startText } from "./status.ts";
import { watchServer, type Watch } from "./watch.ts";

export interface DirectorSettings {
  readonly specPath: string;
  readonly socket: string;
  readonly version: string;
  /** Multiplies every bound and interval; 1 on real machines. */
  readonly timeScale: number;
  /** This machine's name in the spec; the host name unless said otherwise. */
  readonly machineName?: string;
}

const VERIFY_INTERVAL_MS = 10_000;
/** An agent holds its clients back while it waits for this. */
const NOTICE_BOUND_MS = 1000;
const XID_MAX = 0xffff_ffff;

/** Resolves when the director was asked to end (SIGTERM, SIGINT). The kernel goes on as it is. */
export async function runDirector(settings: DirectorSettings): Promise<void> {
  const log = (line: string): void => void process.stdout.write(`${line}\n`);
  const spec = loadSpec(await readNodeSpec(settings.specPath), settings.specPath);
  const machine = settings.machineName ?? hostname().split(".")[0] ?? "";
  const director = directorOf(spec, machine);
  const followsCluster = director.services.some(({ decidedBy }) => decidedBy === "cluster");
  const secret = followsCluster ? await readSecret(director.secret) : "";
  const commands = systemCommands({ timeScale: settings.timeScale });
  await makeReady(commands, director, machine);
  const { timeScale } = settings;
  const applier = makeApplier({ director, commands, clock: systemClock, timeScale, readConnections, log });
  const core = makeCore({ director, applier, clock: systemClock, log, inForce: await readTable(commands) });
  log(startText(director, machine, (service) => core.outlook(service)));
  await core.begin();
  const ended = new Promise<string>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve(signal));
  });
  const watches = watchAll(spec, director, core, { secret, timeScale });
  const servers = followsCluster ? [await serveNotices(spec, director, core, watches, { secret, timeScale })] : [];
  const status = await serveStatus(settings, spec, director, machine, core, commands);
  const verifying = setInterval(() => void core.verify(), VERIFY_INTERVAL_MS * timeScale);
  const broken = Promise.all([...watches.values()].map(({ ended: done }) => done)).then(() => "the end of all checks");
  log(`ended by ${await Promise.race([ended, broken])}`);
  clearInterval(verifying);
  for (const watch of watches.values()) watch.stop();
  for (const server of [...servers, status]) {
    server.close();
    server.closeAllConnections();
  }
}

export function directorOf(spec: Spec, machine: string): DirectorSpec {
  const director = spec.directors.find(({ machines }) => machines.some(({ name }) => name === machine));
  if (director !== undefined) return director;
  const names = spec.directors.flatMap(({ machines }) => machines.map(({ name }) => name));
  throw new Fault({
    kind: "invalid",
    code: "machine-not-in-spec",
    what: `this machine, ${machine}, is not among those of the spec's directors (${names.join(", ") || "it has none"})`,
    remedy: "correct directors[].machines, or give the name with --machine",
  });
}

/** What does not change while the director runs. */
async function makeReady(commands: Commands, director: DirectorSpec, machine: string): Promise<void> {
  const source = director.machines.find(({ name }) => name === machine)?.address;
  await loadIpvs(commands);
  for (const { key, value } of directorSettings(director)) await writeFile(`/proc/sys/${key}`, value);
  await setTimeouts(commands, director.kernel);
  for (const service of director.services) {
    if (service.decidedBy !== "cluster") continue;
    for (const address of service.servers.flatMap(({ addresses }) => addresses)) {
      await routeTo(commands, service.flow.interface, address, source);
    }
  }
  if (director.machines.length > 1) {
    await startSync(commands, director.interface, director.vrrpId);
    return;
  }
  for (const { flow } of director.services) {
    for (const { address } of flow.addresses) await takeAddress(commands, flow.interface, address);
  }
}

interface Ground {
  readonly secret: string;
  readonly timeScale: number;
}

type Watches = ReadonlyMap<string, Watch>;

function watchKey(service: string, server: string): string {
  return `${service} ${server}`;
}

function watchAll(spec: Spec, director: DirectorSpec, core: Core, { secret, timeScale }: Ground): Watches {
  const watches = new Map<string, Watch>();
  const watch = (service: DirectorServiceSpec, server: DirectorServerSpec): Watch => {
    const state = () =>
      defined(
        core.outlook(service.name).servers.find(({ name }) => name === server.name),
        "a server of the service",
      ).state;
    return watchServer(server.name, {
      clock: systemClock,
      timeScale,
      intervalMs: checkEveryMs(service.check),
      state,
      check: () =>
        checkServer(service, server, state(), {
          cluster: spec.cluster.name,
          rolePort: director.ports.roles,
          secret,
          timeScale,
          xid: randomInt(XID_MAX),
          questions: { askNfs, askRole },
        }),
      hear: (news) => core.hear(service.name, [news]),
    });
  };
  for (const service of director.services) {
    for (const server of service.servers) watches.set(watchKey(service.name, server.name), watch(service, server));
  }
  return watches;
}

function serveNotices(
  spec: Spec,
  director: DirectorSpec,
  core: Core,
  watches: Watches,
  ground: Ground,
): Promise<Server> {
  const watchOf = (service: string, server: string): Watch =>
    defined(watches.get(watchKey(service, server)), "a watch of the server");
  const take = noticeTaker({
    cluster: spec.cluster.name,
    services: director.services,
    makeNonce,
    tell: (service, news) => watchOf(service, news.server).tell(news),
    look: (service, server) => watchOf(service, server).look(),
    serving: (service) => (core.problems().length === 0 ? core.outlook(service).choice.serving : undefined),
    within: (work) => Promise.race([work, systemClock.sleep(NOTICE_BOUND_MS * ground.timeScale)]),
  });
  return serveSigned({
    port: director.ports.notices,
    secret: ground.secret,
    routes: [{ method: "POST", path: NOTICES_PATH, answer: (body) => take(noticeSchema.parse(body)) }],
  });
}

/** On a unix socket for root alone. */
async function serveStatus(
  settings: DirectorSettings,
  spec: Spec,
  director: DirectorSpec,
  machine: string,
  core: Core,
  commands: Commands,
): Promise<Server> {
  const look = async (): Promise<DirectorStatus> => {
    const counts = await readCounts(commands).catch(() => undefined);
    const own = Object.values(networkInterfaces()).flatMap((each) => (each ?? []).map(({ address }) => address));
    return {
      director: director.name,
      machine,
      version: settings.version,
      specHash: specHash(spec),
      services: director.services.map((service) =>
        serviceStatus(service, { outlook: core.outlook(service.name), counts, own }),
      ),
      changes: core.changes(),
      problems: core.problems(),
    };
  };
  const server = createServer((incoming, outgoing) => {
    if (incoming.url !== DIRECTOR_STATUS_PATH) {
      outgoing.writeHead(404).end();
      return;
    }
    look().then(
      (status) => outgoing.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(status)),
      (error: unknown) => outgoing.writeHead(500).end(messageOf(error)),
    );
  });
  await mkdir(dirname(settings.socket), { recursive: true, mode: 0o700 });
  await rm(settings.socket, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(settings.socket, resolve);
  });
  await chmod(settings.socket, 0o600);
  return server;
}
