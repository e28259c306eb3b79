/**
 * Clients: each writes and reads a file of its own, and takes and gives back locks that they share. What an application
 * was told is remembered here, and nothing may be taken back of it.
 */
import type { ClientConnection, MonitoredClient, V4Client } from "../failover/ledger.ts";
import { TELL_AGAIN_MS } from "../failover/watch.ts";
import { after, newOwner, resume, spawn, type Owner, type Task } from "./events.ts";
import { servedBy } from "./network.ts";
import { changed, forgetV4, lockRequest, reclaimComplete, reclaimRequest, type LockAnswer } from "./server.ts";
import { whenStorage } from "./storage-path.ts";
import { arrive, change } from "./volume.ts";
import { violate, type Server, type SimNode, type World } from "./world.ts";

export interface Client {
  readonly index: number;
  readonly name: string;
  readonly protocol: "v3" | "v4";
  readonly owner: Owner;
  living: boolean;
  cut: boolean;
  /** When its way to the server was last disturbed. */
  awayMs: number;
  /** The same, where it was none of the server's own doing. */
  interruptedMs: number;
  /** By which server it was answered last; the first answer of that server. */
  answeredBy: number;
  answeredFirstMs: number;
  /** Since when it asks and is not answered; undefined where it waits for nothing. */
  unansweredSinceMs: number | undefined;
  /** Version of its file: asked for, and acknowledged. */
  wanted: number;
  acknowledged: number;
  readonly locks: Set<number>;
  /** By lock: which server gave it, and when. */
  readonly taken: Map<number, Taken>;
  /** A grace has run to its limit without it, and it does not know that what it held is gone. */
  untold: boolean;
  /** The same, when it was notified last: everything that it has is gone. */
  toldLate: boolean;
  /** Server that it has an NFSv4 session with. */
  session: number;
  reclaiming: boolean;
  /** How often it was told that the server has restarted. */
  notifications: number;
  /** How long its application rests between two operations, at most. */
  readonly restMs: number;
}

export interface Taken {
  readonly server: number;
  readonly atMs: number;
  /** By a client that could not have been told yet that everything it has is gone: this is lost with the rest. */
  readonly atRisk: boolean;
}

/** The same in every look; made once. */
export interface ClientFacts {
  readonly index: number;
  readonly connections: { readonly nfs: ClientConnection; readonly lockd: ClientConnection };
  readonly monitored: MonitoredClient;
  readonly v4: { readonly active: Omit<V4Client, "sinceMs">; readonly courtesy: Omit<V4Client, "sinceMs"> };
}

const LOCKS_OF_A_CLIENT_MAX = 3;
const RETRY_MS = 200;
const RETRY_MS_MAX = 1_600;
/** A notification rebinds the client's lock manager (nlm_rebind_host, fs/lockd/host.c): it does not wait for long. */
const RECLAIM_RETRY_MS_MAX = 400;
/** An NFSv3 client that is told to wait asks again after so long (nlmclnt_grace_wait, fs/lockd/clntproc.c). */
const GRACE_WAIT_V3_MS = 5_000;
const GRACE_WAIT_V4_MS_MAX = 15_000;

export function newClient(index: number, protocol: "v3" | "v4", restMs: number): Client {
  return {
    index,
    name: `c${index + 1}`,
    protocol,
    owner: newOwner(),
    living: true,
    cut: false,
    awayMs: -1,
    interruptedMs: -1,
    answeredBy: 0,
    answeredFirstMs: 0,
    unansweredSinceMs: undefined,
    wanted: 0,
    acknowledged: 0,
    locks: new Set(),
    taken: new Map(),
    untold: false,
    toldLate: false,
    session: 0,
    reclaiming: false,
    notifications: 0,
    restMs,
  };
}

export function factsOfClient(index: number, lockdPort: number): ClientFacts {
  const address = `10.77.0.${21 + index}`;
  const from = { localAddress: "10.77.0.50", remoteAddress: address };
  const v4 = { owner: `Linux NFSv4.2 c${index + 1}`, address, minorVersion: 2 };
  return {
    index,
    connections: {
      nfs: { ...from, localPort: 2049, remotePort: 700 + index },
      lockd: { ...from, localPort: lockdPort, remotePort: 800 + index },
    },
    monitored: { name: `c${index + 1}`, addresses: [address] },
    v4: { active: { ...v4, courtesy: false }, courtesy: { ...v4, courtesy: true } },
  };
}

export function startClient(world: World, client: Client): void {
  spawn(world.events, client.owner, live(world, client));
}

export function endClient(world: World, client: Client): void {
  client.living = false;
  client.owner.living = false;
  for (const lock of client.locks) if (world.held[lock] === client.index) world.held[lock] = undefined;
  client.locks.clear();
}

function* live(world: World, client: Client): Task {
  const { random } = world;
  for (;;) {
    yield random.between(20, client.restMs);
    const draw = random.fraction();
    if (draw < 0.4) yield* write(world, client);
    else if (draw < 0.55) yield* read(world, client);
    else if (draw < 0.85 && client.locks.size < LOCKS_OF_A_CLIENT_MAX) yield* lock(world, client);
    else yield* unlock(world, client);
  }
}

/** Sends until an answer comes. What `serve` does happens at the server, and may happen more than once. */
function* ask<T>(
  world: World,
  client: Client,
  serve: (node: SimNode, server: Server) => T | undefined,
  retryMsMax = RETRY_MS_MAX,
): Task<T> {
  let retryMs = RETRY_MS;
  for (;;) {
    client.unansweredSinceMs ??= world.events.nowMs;
    yield 1;
    const node = servedBy(world, client);
    const server = node?.site.server;
    if (node !== undefined && server !== undefined && (yield* join(world, client, node, server))) {
      const answer = serve(node, server);
      if (answer !== undefined) {
        yield 1;
        if (isAnswered(world, client, node, server)) return answer;
      }
    }
    yield retryMs;
    retryMs = Math.min(retryMs * 2, retryMsMax);
  }
}

/** The answer gets through where nothing has come between. */
function isAnswered(world: World, client: Client, node: SimNode, server: Server): boolean {
  if (servedBy(world, client) !== node || node.site.server !== server) return false;
  client.unansweredSinceMs = undefined;
  if (client.answeredBy === server.number) return true;
  client.answeredBy = server.number;
  client.answeredFirstMs = world.events.nowMs;
  return true;
}

/** Connected; and over NFSv4 with a session, for which it first reclaims what it held. False: try again. */
function* join(world: World, client: Client, node: SimNode, server: Server): Task<boolean> {
  if (!server.connected.has(client.index)) {
    server.connected.add(client.index);
    changed(node);
  }
  if (client.protocol === "v3") return true;
  const known = server.v4Clients.get(client.index);
  if (client.session === server.number && known?.complete === true) {
    known.renewedMs = world.events.nowMs;
    return true;
  }
  if (client.session === server.number) {
    // Its lease was over and somebody else wanted what it held: its state is gone (NFS4ERR_BADSESSION).
    for (const lock of client.locks) lose(world, client, lock, "was forgotten by the server");
  }
  client.session = server.number;
  server.v4Clients.set(client.index, { renewedMs: world.events.nowMs, complete: false });
  const mine = [...client.locks];
  for (const lock of mine) {
    yield world.random.between(2, 20);
    if (!isAnswered(world, client, node, server)) return again(client);
    world.tally.reclaims += 1;
    const answer = reclaimRequest(world, node, server, client.index, lock);
    if (answer !== "granted") lose(world, client, lock, "was refused its reclaim");
  }
  yield 2;
  if (!isAnswered(world, client, node, server)) return again(client);
  return reclaimComplete(world, node, server, client.index) || again(client);
}

function again(client: Client): false {
  client.session = 0;
  return false;
}

function lose(world: World, client: Client, lock: number, how: string): void {
  client.locks.delete(lock);
  if (world.held[lock] !== client.index) return;
  world.held[lock] = undefined;
  violate(world, "lock-kept", `${client.name} ${how} for lock ${lock}`);
}

function* write(world: World, client: Client): Task {
  const version = ++client.wanted;
  const { random } = world;
  // Mostly stable; else the page cache has it until it is written back, and only then the client is told.
  const delayMs = random.chance(0.85) ? random.between(2, 8) : random.between(200, 1_500);
  for (let attempts = 0; ; attempts++) {
    const job = yield* ask(world, client, (node) => {
      const started = { done: false };
      const on = node.site.mounts[client.index % world.volumes.length];
      if (on === undefined) {
        violate(world, "open-complete", `${node.name} answers ${client.name} without its volume`);
        return undefined;
      }
      on.view.versions[client.index] = Math.max(version, on.view.versions[client.index] ?? 0);
      const number = node.site.server?.number;
      after(world.events, node.owner, delayMs, () =>
        whenStorage(node, () => {
          // What the unmount has written need not be written again.
          if (node.site.mounts[on.volume.index] !== on) return;
          const good = arrive(world, node, on, (disk) => {
            disk.versions[client.index] = Math.max(version, disk.versions[client.index] ?? 0);
          });
          started.done = good && node.site.server?.number === number;
        }),
      );
      return started;
    });
    yield delayMs + 2;
    if (job.done && servedBy(world, client)?.site.server?.number === client.answeredBy) break;
    yield Math.min(RETRY_MS * 2 ** attempts, RETRY_MS_MAX);
  }
  client.acknowledged = version;
  world.tally.writes += 1;
}

function* read(world: World, client: Client): Task {
  const seen = yield* ask(world, client, (node) => {
    const on = node.site.mounts[client.index % world.volumes.length];
    if (on === undefined) {
      violate(world, "open-complete", `${node.name} answers ${client.name} without its volume`);
      return undefined;
    }
    return on.view.versions[client.index] ?? 0;
  });
  if (seen < client.acknowledged)
    violate(world, "write-kept", `${client.name} reads version ${seen}; ${client.acknowledged} was acknowledged`);
}

function* lock(world: World, client: Client): Task {
  const wanted = world.random.below(world.held.length);
  if (client.locks.has(wanted)) return;
  let waitMs = 100;
  for (;;) {
    while (client.reclaiming) yield 50;
    const answer = yield* ask<LockAnswer>(world, client, (node, server) => {
      toLockd(node, server, client);
      return lockRequest(world, node, server, client.index, wanted);
    });
    if (answer === "denied") return;
    if (answer === "granted") break;
    yield client.protocol === "v3" ? GRACE_WAIT_V3_MS : waitMs;
    waitMs = Math.min(waitMs * 2, GRACE_WAIT_V4_MS_MAX);
  }
  world.tally.locks += 1;
  world.trace?.(world.events.nowMs, client.name, `has lock ${wanted}`);
  client.locks.add(wanted);
  const atRisk = client.untold && !couldHaveBeenTold(world, client);
  client.taken.set(wanted, { server: client.answeredBy, atMs: world.events.nowMs, atRisk });
  world.held[wanted] = client.index;
}

function* unlock(world: World, client: Client): Task {
  const [given] = client.locks;
  if (given === undefined) return;
  while (client.reclaiming) yield 50;
  if (!client.locks.delete(given)) return;
  if (world.held[given] === client.index) world.held[given] = undefined;
  const giveBack = (): Task<"done" | "grace"> =>
    ask(world, client, (node, server) => {
      toLockd(node, server, client);
      // lockd takes nothing back while a grace lasts (nlm4svc_proc_unlock, fs/lockd/svc4proc.c).
      if (client.protocol === "v3" && (server.v3GraceLasts || server.v4GraceLasts)) return "grace";
      if (server.locks.get(given) === client.index) server.locks.delete(given);
      changed(node);
      return "done";
    });
  while ((yield* giveBack()) === "grace") yield GRACE_WAIT_V3_MS;
}

function toLockd(node: SimNode, server: Server, client: Client): void {
  if (client.protocol === "v4" || server.connectedToLockd.has(client.index)) return;
  server.connectedToLockd.add(client.index);
  changed(node);
}

/** SM_NOTIFY has reached it: it claims again, one lock after the other, everything that it believes to hold. */
export function notified(world: World, client: Client): void {
  if (client.protocol === "v4") return;
  client.notifications += 1;
  client.toldLate ||= client.untold;
  client.untold = false;
  if (client.reclaiming) return;
  client.reclaiming = true;
  spawn(world.events, client.owner, reclaimAll(world, client), () => {
    client.reclaiming = false;
    client.toldLate = false;
  });
}

/** Begins anew where the server has restarted once more (reclaimer, fs/lockd/clntlock.c). */
function* reclaimAll(world: World, client: Client): Task {
  let notifications: number;
  do {
    notifications = client.notifications;
    yield* reclaimEach(world, client, notifications);
  } while (notifications !== client.notifications);
}

function* reclaimEach(world: World, client: Client, notifications: number): Task {
  const mine = [...client.locks];
  for (const lock of mine) {
    if (client.notifications !== notifications) return;
    yield world.random.between(2, 100);
    world.tally.reclaims += 1;
    const answer = yield* ask<LockAnswer>(
      world,
      client,
      (node, server) => {
        toLockd(node, server, client);
        return reclaimRequest(world, node, server, client.index, lock);
      },
      RECLAIM_RETRY_MS_MAX,
    );
    if (answer === "denied" && world.conditions.statdDied) giveUp(world, client, lock);
    else if (client.toldLate && client.taken.get(lock)?.atRisk === true) giveUp(world, client, lock);
    else if (client.toldLate)
      lose(world, client, lock, "was notified so late that it gave up what it had taken since,");
    else if (answer !== "granted") lose(world, client, lock, "was refused its reclaim");
  }
}

/** Who is back is told again after so long (failover/watch.ts), by the next look. */
const TOLD_WITHIN_MS = TELL_AGAIN_MS + 1_000;

/** It has been back for so long, and the server's watch has been undisturbed. */
function couldHaveBeenTold(world: World, client: Client): boolean {
  const node = servedBy(world, client);
  const watch = node?.agent?.watch;
  const { graceEndedMs } = node?.site.server ?? {};
  if (node === undefined || watch === undefined || graceEndedMs === undefined) return false;
  const disturbedMs = Math.max(
    client.awayMs,
    client.answeredFirstMs,
    graceEndedMs,
    watch.start.startedMs,
    node.thawedMs,
  );
  return disturbedMs < world.events.nowMs - TOLD_WITHIN_MS;
}

/** Without statd lockd refuses a reclaim for good, and no order of steps can help that. */
function giveUp(world: World, client: Client, lock: number): void {
  client.locks.delete(lock);
  if (world.held[lock] !== client.index) return;
  world.held[lock] = undefined;
  world.tally.givenUp += 1;
}

/** sm-notify(8) repeats after 2 s, and each time after twice as long. */
const NOTIFY_RETRY_MS = 2_000;
const NOTIFY_ATTEMPTS_MAX = 9;

/** A process of the node: it goes on by itself until everybody has answered, or it is ended. */
export function startNotifier(world: World, node: SimNode): void {
  node.site.notifier = true;
  node.site.notifiers += 1;
  spawn(world.events, node.owner, notifyAll(world, node));
}

function* notifyAll(world: World, node: SimNode): Task {
  const { server, notifiers } = node.site;
  const state = node.site.mounts[0];
  const isOver = (): boolean => !node.site.notifier || node.site.notifiers !== notifiers || node.site.server !== server;
  let retryMs = NOTIFY_RETRY_MS;
  for (let attempt = 0; attempt < NOTIFY_ATTEMPTS_MAX; attempt++) {
    const waiting = [...(state?.view.retired ?? [])];
    for (const index of waiting) {
      yield world.random.between(1, 10);
      const client = world.clients[index];
      if (state === undefined || isOver()) return;
      if (client === undefined || !client.living || servedBy(world, client) !== node) continue;
      world.trace?.(world.events.nowMs, client.name, `is notified by ${node.name}`);
      resume(client.owner, () => notified(world, client));
      change(state, (disk) => disk.retired.delete(index));
      changed(node);
    }
    if (state === undefined || state.view.retired.size === 0) break;
    yield retryMs;
    if (isOver()) return;
    retryMs *= 2;
  }
  node.site.notifier = false;
}

/** nfsd forgets clients that hold nothing (client_ctl_write, fs/nfsd/nfs4state.c); nfsdcld does so with it. */
export function forgetIdle(world: World, node: SimNode, server: Server): void {
  const state = node.site.mounts[0];
  const holders = new Set(server.locks.values());
  const known = [...server.v4Clients.keys()];
  for (const index of known) {
    if (holders.has(index)) continue;
    forgetV4(world, server, index);
    if (state !== undefined) change(state, (disk) => disk.cldCurrent.delete(index));
  }
}
