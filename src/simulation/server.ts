/**
 * nfsd and lockd of one fileserver on one node, as far as locks and their grace go. Who may have what stands in
 * docs/kernel-nfs.md, section 3; the sources are named where they matter.
 */
import type { Client } from "./client.ts";
import { after, raise } from "./events.ts";
import { servedBy } from "./network.ts";
import { lockdGraceS } from "../failover/grace.ts";
import type { Ledger, ServiceSight } from "../failover/ledger.ts";
import { whenStorage } from "./storage-path.ts";
import { change, sync } from "./volume.ts";
import { isInGoodStanding, violate, type Disk, type Mount, type Server, type SimNode, type World } from "./world.ts";

/** nfsd starts: GraceStart of nfsdcld (sqlite_grace_start, nfs-utils utils/nfsdcld/sqlite.c) begins an epoch. */
export function startServer(world: World, node: SimNode): void {
  const { events, fileserver } = world;
  const state = stateMount(node);
  let mayReclaim: ReadonlySet<number> = new Set();
  if (node.site.nfsdcld && state !== undefined) {
    change(state, beginEpoch);
    sync(world, node, state);
    mayReclaim = state.view.cldRecovery ?? new Set();
    // Nobody to wait for: GraceDone follows at once.
    if (mayReclaim.size === 0) change(state, (disk) => (disk.cldRecovery = undefined));
  }
  const server: Server = {
    number: ++world.servers,
    startedMs: events.nowMs,
    v3GraceLasts: fileserver.protocols.includes("v3"),
    v4GraceLasts: mayReclaim.size > 0,
    openedMs: undefined,
    awaited: new Set(),
    reachedLimit: false,
    graceEndedMs: undefined,
    mayReclaim,
    locks: new Map(),
    v4Clients: new Map(),
    connected: new Set(),
    connectedToLockd: new Set(),
    monitors: new Set(),
  };
  node.site.server = server;
  world.trace?.(events.nowMs, node.name, `nfsd ${server.number} runs; ${mayReclaim.size} v4 clients may reclaim`);
  if (!server.v4GraceLasts) checkGraceEnd(world, node, server, "v4", false);
  after(events, node.owner, fileserver.nfs.graceS * 1000, () => {
    if (node.site.server === server && server.v4GraceLasts) endV4Grace(world, node, server, true);
  });
  after(events, node.owner, lockdGraceS(fileserver.nfs.graceS) * 1000, () => {
    if (node.site.server === server && server.v3GraceLasts) endV3Grace(world, node, server, true);
  });
}

/** A crash during a grace leaves the old list in force; otherwise it is who came back or came new since. */
function beginEpoch(disk: Disk): void {
  disk.cldRecovery ??= new Set(disk.cldCurrent);
  disk.cldCurrent.clear();
}

export function stateMount(node: SimNode): Mount | undefined {
  return node.site.mounts[0];
}

export function stopServer(world: World, node: SimNode): void {
  const { site } = node;
  const state = stateMount(node);
  // An orderly stop unmonitors every client on the way, where statd still answers (docs/kernel-nfs.md, section 6).
  if (site.statd && state !== undefined) change(state, (disk) => disk.monitored.clear());
  site.server = undefined;
  world.trace?.(world.events.nowMs, node.name, "nfsd has stopped");
}

export function endV3Grace(world: World, node: SimNode, server: Server, atLimit: boolean): void {
  if (!server.v3GraceLasts) return;
  server.v3GraceLasts = false;
  server.reachedLimit = atLimit;
  const untold = atLimit ? stateMount(node)?.view.retired : undefined;
  for (const client of world.clients) if (untold?.has(client.index) === true) staysUntold(world, server, client);
  server.graceEndedMs = world.events.nowMs;
  world.trace?.(world.events.nowMs, node.name, "lockd's grace has ended");
  checkGraceEnd(world, node, server, "v3", atLimit);
}

function endV4Grace(world: World, node: SimNode, server: Server, atLimit: boolean): void {
  if (!server.v4GraceLasts) return;
  server.v4GraceLasts = false;
  // Without its daemon nothing is struck from the database (nfsd4_cld_grace_done, fs/nfsd/nfs4recover.c).
  if (!node.site.nfsdcld && node.site.requestsHeld) return;
  const state = stateMount(node);
  // nfsdcld does one thing after the other: what it was told before comes before.
  whenStorage(node, () => {
    if (state === undefined || stateMount(node) !== state) return;
    change(state, (disk) => (disk.cldRecovery = undefined));
    sync(world, node, state);
  });
  world.trace?.(world.events.nowMs, node.name, "nfsd's grace has ended");
  checkGraceEnd(world, node, server, "v4", atLimit);
}

/** Reachable for so long before the limit, a client has had time to hear of the move and to reclaim. */
const RECLAIM_TIME_MS = 6_500;

function hadTime(world: World, server: Server, client: Client): boolean {
  const contactMs = client.answeredBy === server.number ? client.answeredFirstMs : Infinity;
  return contactMs <= world.events.nowMs - RECLAIM_TIME_MS && client.awayMs < contactMs;
}

/** The limit has come before it was told: what it has reclaimed unasked, as of a server before, it gives up when it hears of it. */
function staysUntold(world: World, server: Server, client: Client): void {
  client.untold = true;
  if (hadTime(world, server, client)) return;
  for (const lock of client.locks) {
    const taken = client.taken.get(lock);
    if (taken !== undefined) client.taken.set(lock, { ...taken, atRisk: true });
  }
}

/** From now on anybody may have what nobody has: whoever could come back must have what it held. */
function checkGraceEnd(world: World, node: SimNode, server: Server, protocol: "v3" | "v4", atLimit: boolean): void {
  // What a fenced node still believes concerns nobody.
  if (!isInGoodStanding(world, node) || stateMount(node) === undefined) return;
  for (let lock = 0; lock < world.held.length; lock++) {
    const holder = world.held[lock];
    const client = holder === undefined ? undefined : world.clients[holder];
    if (client === undefined || client.protocol !== protocol || server.locks.get(lock) === client.index) continue;
    // It is told when this grace is over, and gives up what it has taken in the moment before the move, too.
    const atRisk = client.untold && client.taken.get(lock)?.atRisk === true;
    // Cut off in the midst of reclaiming, a client is waited for by what the ledger has of it: not by the newest locks.
    const interrupted = client.interruptedMs >= (server.openedMs ?? Infinity) && !server.awaited.has(lockKey(lock));
    if ((atLimit && !hadTime(world, server, client)) || (protocol === "v3" && interrupted) || atRisk) {
      world.held[lock] = undefined;
      world.tally.givenUp += 1;
      world.trace?.(world.events.nowMs, client.name, `lock ${lock} is given up: it could not come back in time`);
    } else {
      violate(
        world,
        "lock-kept",
        `${node.name} ends the ${protocol} grace while ${client.name} has yet to reclaim ${lock}`,
      );
    }
  }
}

/** All answers that a request for a lock can get. */
export type LockAnswer = "granted" | "denied" | "grace" | "lost";

export function lockRequest(
  world: World,
  node: SimNode,
  server: Server,
  client: number,
  lock: number,
): LockAnswer | undefined {
  const { protocol } = world.clients[client] ?? { protocol: "v3" };
  if (protocol === "v3" && hangs(node, server, client)) return undefined;
  // locks_in_grace counts both (fs/nfs_common/grace.c; nlmsvc_lock, fs/lockd/svclock.c; nfsd4_lock, fs/nfsd/nfs4state.c).
  if (protocol === "v3" && !monitor(world, node, server, client)) return "denied";
  if (server.v3GraceLasts || server.v4GraceLasts) return "grace";
  const owner = server.locks.get(lock);
  if (owner !== undefined && owner !== client && !expires(world, node, server, owner)) return "denied";
  server.locks.set(lock, client);
  const believed = world.held[lock];
  if (believed !== undefined && believed !== client)
    violate(world, "lock-once", `${node.name} grants ${lock} to client ${client} while client ${believed} holds it`);
  changed(node);
  return "granted";
}

/** lockd waits for statd, and statd for the disk. */
function hangs(node: SimNode, server: Server, client: number): boolean {
  return !server.monitors.has(client) && node.cuts.storage !== "none";
}

/** Recorded before the first lock is granted, and refused where it cannot be (nlmsvc_retrieve_args, fs/lockd/svcproc.c). */
function monitor(world: World, node: SimNode, server: Server, client: number): boolean {
  if (server.monitors.has(client)) return true;
  const state = stateMount(node);
  if (!node.site.statd || state === undefined) return false;
  change(state, (disk) => disk.monitored.add(client));
  if (!sync(world, node, state)) return false;
  server.monitors.add(client);
  changed(node);
  return true;
}

/** While a client can reach its server it renews its lease, whatever its applications do (nfs4_renewd, fs/nfs/nfs4renewd.c). */
function isRenewed(world: World, node: SimNode, owner: number): boolean {
  const client = world.clients[owner];
  if (client === undefined || servedBy(world, client) !== node) return false;
  const renewalMs = (world.fileserver.nfs.leaseS * 2_000) / 3;
  return client.living && client.awayMs < world.events.nowMs - renewalMs;
}

/** A v4 client whose lease is over loses what it holds to the first who asks for it (courtesy, fs/nfsd/nfs4state.c). */
function expires(world: World, node: SimNode, server: Server, owner: number): boolean {
  const known = server.v4Clients.get(owner);
  const leaseMs = world.fileserver.nfs.leaseS * 1000;
  const client = world.clients[owner];
  if (client?.protocol !== "v4" || known === undefined || world.events.nowMs - known.renewedMs <= leaseMs) return false;
  const state = stateMount(node);
  // Its record is taken out of the database before anybody gets what it had (expire_client).
  if (state === undefined || node.cuts.storage !== "none" || isRenewed(world, node, owner)) return false;
  change(state, (disk) => disk.cldCurrent.delete(owner));
  if (!sync(world, node, state)) return false;
  forgetV4(world, server, owner);
  return true;
}

export function forgetV4(world: World, server: Server, client: number): void {
  for (const [lock, owner] of server.locks)
    if (owner === client) {
      server.locks.delete(lock);
      if (world.held[lock] === client) world.held[lock] = undefined;
    }
  server.v4Clients.delete(client);
}

export function reclaimRequest(
  world: World,
  node: SimNode,
  server: Server,
  client: number,
  lock: number,
): LockAnswer | undefined {
  const { protocol } = world.clients[client] ?? { protocol: "v3" };
  if (protocol === "v3" && hangs(node, server, client)) return undefined;
  const lasts = protocol === "v3" ? server.v3GraceLasts || server.v4GraceLasts : server.v4GraceLasts;
  const owner = server.locks.get(lock);
  if (protocol === "v3" && !monitor(world, node, server, client)) return "denied";
  // Outside of a grace nothing can be reclaimed, not even what was taken from this very server (nlmsvc_lock, fs/lockd/svclock.c).
  if (protocol === "v3" && !lasts && world.clients[client]?.taken.get(lock)?.server === server.number) return "lost";
  // The kernel would refuse one that it has granted, where the answer was lost and the grace has ended since.
  if (owner === client) return "granted";
  if (!lasts || (protocol === "v4" && !server.mayReclaim.has(client))) return "lost";
  if (owner !== undefined) return "lost";
  server.locks.set(lock, client);
  changed(node);
  world.trace?.(world.events.nowMs, world.clients[client]?.name ?? "", `has reclaimed lock ${lock}`);
  return "granted";
}

/** RECLAIM_COMPLETE: nfsdcld has the client from here on, and the grace ends with the last (inc_reclaim_complete). */
export function reclaimComplete(world: World, node: SimNode, server: Server, client: number): boolean {
  const state = stateMount(node);
  if (state === undefined) return false;
  if (node.cuts.storage !== "none") {
    whenStorage(node, () => {
      if (stateMount(node) === state) change(state, (disk) => disk.cldCurrent.add(client));
    });
    return false;
  }
  if (node.site.nfsdcld) {
    change(state, (disk) => disk.cldCurrent.add(client));
    if (!sync(world, node, state)) return false;
  }
  server.v4Clients.set(client, { renewedMs: world.events.nowMs, complete: true });
  changed(node);
  if (server.v4GraceLasts && [...server.mayReclaim].every((one) => server.v4Clients.get(one)?.complete === true))
    endV4Grace(world, node, server, false);
  return true;
}

export function changed(node: SimNode): void {
  const watch = node.agent?.watch;
  if (watch === undefined) return;
  watch.unchanged = 0;
  raise(watch.news);
}

/** What the agent's look at a serving fileserver shows. */
export function sightOf(world: World, server: Server, view: Disk): ServiceSight {
  const { facts } = world;
  const nowMs = world.events.nowMs;
  return {
    connections: facts.flatMap(({ index, connections }) => [
      ...(server.connected.has(index) ? [connections.nfs] : []),
      ...(server.connectedToLockd.has(index) ? [connections.lockd] : []),
    ]),
    monitored: facts.filter(({ index }) => view.monitored.has(index)).map((one) => one.monitored),
    unnotified: facts.filter(({ index }) => view.retired.has(index)).map((one) => one.monitored),
    v4Clients: [...server.v4Clients].flatMap(([client, { renewedMs, complete }]) => {
      const courtesy = nowMs - renewedMs > world.fileserver.nfs.leaseS * 1000;
      const one = facts[client]?.v4[courtesy ? "courtesy" : "active"];
      return one === undefined || !complete ? [] : [one];
    }),
    v3Locks: [...server.locks]
      .filter(([, client]) => world.clients[client]?.protocol === "v3")
      .map(([lock]) => lockKey(lock))
      .sort(),
  };
}

export function lockKey(lock: number): string {
  return `data:${100 + lock}:0-EOF`;
}

/** By statd's name for them. */
export function clientsNamed(world: World, name: string): readonly number[] {
  return world.facts.filter(({ monitored }) => monitored.name === name).map(({ index }) => index);
}

export function ledgerOn(disk: Disk): Ledger | undefined {
  return disk.ledger === "damaged" ? undefined : disk.ledger;
}
