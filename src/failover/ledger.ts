/**
 * The ledger: who holds what of a fileserver. Kept current on the fileserver's own volume while it serves, so that the
 * next takeover knows after a crash nearly what it would know after an orderly release; the last entry of a release is
 * complete, because nothing was let in any more when it was written.
 */
import { isSteady, type LockMemory } from "./lock-memory.ts";
import { deferLate, withoutLate, type LateClient } from "./late.ts";

/** One TCP connection of a client, as the server sees it. */
export interface ClientConnection {
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
}

/** A client that statd monitors: it held an NLM lock at some time, maybe not now. */
export interface MonitoredClient {
  /** As statd names it: its name in the resolver, or its address where it has none. */
  readonly name: string;
  /** As lockd knows it; none where lockd was told to use host names (fs.nfs.nsm_use_hostnames). */
  readonly addresses: readonly string[];
}

export interface V3Client extends MonitoredClient {
  readonly sinceMs: number;
}

export interface V4Client {
  /** The owner that the client calls itself (client owner string, RFC 8881 section 2.4), e.g. "Linux NFSv4.2 c1". */
  readonly owner: string;
  readonly address: string;
  readonly minorVersion: number;
  /** Its lease has expired; the server keeps its state for courtesy. */
  readonly courtesy: boolean;
  readonly sinceMs: number;
}

/** An NLM lock on one of the volumes. */
export interface V3Lock {
  /** VOLUME:INODE:START-END; the same on every node. */
  readonly key: string;
  /** Not one of those that are taken and given back all the time (lock-memory.ts). */
  readonly steady: boolean;
}

export interface Ledger {
  readonly node: string;
  readonly writtenAtMs: number;
  /** Written by a release when nothing was let in any more, and no lock was awaited: it names every lock there is. */
  readonly final: boolean;
  readonly connections: readonly ClientConnection[];
  readonly v3Clients: readonly V3Client[];
  readonly v4Clients: readonly V4Client[];
  readonly v3Locks: readonly V3Lock[];
  /** Who lost something at a grace's limit and has not been told; absent where nobody has. */
  readonly late?: readonly LateClient[] | undefined;
}

/** What one look at a serving fileserver shows. */
export interface ServiceSight {
  readonly connections: readonly ClientConnection[];
  /** statd's list. */
  readonly monitored: readonly MonitoredClient[];
  /** statd's retired list: still to be notified of the takeover. */
  readonly unnotified: readonly MonitoredClient[];
  readonly v4Clients: readonly Omit<V4Client, "sinceMs">[];
  /** Keys of all NLM locks on the volumes. */
  readonly v3Locks: readonly string[];
}

/** Which part of what was there before the takeover is still waited for. */
export interface Waiting {
  readonly v3: boolean;
  readonly v4: boolean;
}

export interface LedgerInput {
  readonly node: string;
  readonly nowMs: number;
  readonly sight: ServiceSight;
  /** Of the looks before this one. */
  readonly lockMemory: LockMemory;
  /** The ledger as it was last written, by whichever node. */
  readonly previous: Ledger | undefined;
  readonly waiting: Waiting;
  readonly final: boolean;
  /** As the watch concludes; where nobody concludes anything, who has not been told by now. */
  readonly late?: readonly LateClient[];
}

/**
 * The next entry. While a grace lasts, who has not come back stays in: a second crash would lose him otherwise. Locks
 * that come and go are left out of all but the final entry, so that lock traffic does not wear the disk.
 */
export function nextLedger(input: LedgerInput): Ledger {
  const { sight, previous, waiting, lockMemory } = input;
  // While locks are awaited nobody can say that they are all: what comes before may lack some, as after a crash.
  const final = input.final && !waiting.v3;
  const before = new Set((previous?.v3Locks ?? []).flatMap((lock) => (lock.steady ? [lock.key] : [])));
  const steady = sight.v3Locks.map((key) => ({ key, steady: isSteady(lockMemory, key, before) }));
  const v3Locks = input.final ? steady : steady.filter((lock) => lock.steady);
  const held = new Set(sight.v3Locks);
  const awaitedLocks = waiting.v3 ? (previous?.v3Locks ?? []).filter((lock) => !held.has(lock.key)) : [];
  return {
    node: input.node,
    writtenAtMs: input.nowMs,
    final,
    connections: connectionsOf(input),
    v3Clients: v3ClientsOf(input),
    v4Clients: v4ClientsOf(input),
    v3Locks: sorted([...v3Locks, ...awaitedLocks], (lock) => lock.key),
    ...lateOf(input),
  };
}

function lateOf({ late, previous, sight }: LedgerInput): Pick<Ledger, "late"> {
  const listed = new Set(sight.unnotified.map(({ name }) => name));
  return named(late ?? (previous?.late ?? []).filter(({ name, deferred }) => deferred || listed.has(name)));
}

function named(late: readonly LateClient[]): Pick<Ledger, "late"> {
  return late.length === 0 ? {} : { late: sorted(late, ({ name }) => name) };
}

export interface ReopenInput {
  readonly node: string;
  readonly nowMs: number;
  /** What was found; undefined where there was none, or nobody can understand it. */
  readonly found: Ledger | undefined;
  /** Who is about to be notified of the takeover. */
  readonly retired: readonly MonitoredClient[];
}

/**
 * The entry of a takeover, before anybody is served: no longer the last word, and it names everybody who is about to be
 * notified. Who has answered is in none of statd's lists until he reclaims; where the fileserver moves again before
 * that, this entry alone knows that he has something to reclaim. Who lost something at a limit before is not among them.
 */
export function reopenedLedger({ node, nowMs, found, retired }: ReopenInput): Ledger | undefined {
  const late = deferLate(found?.late);
  const known = withoutLate(found?.v3Clients ?? [], late);
  const names = new Set(known.map(({ name }) => name));
  const added = withoutLate(retired, late)
    .filter(({ name }) => !names.has(name))
    .map((client) => ({ ...client, sinceMs: nowMs }));
  const before = found ?? { node, connections: [], v4Clients: [], v3Locks: [] };
  const v3Clients = sorted([...known, ...added], ({ name }) => name);
  const entry = { ...before, writtenAtMs: nowMs, final: false, v3Clients, ...named(late) };
  if (found === undefined) return added.length === 0 ? undefined : entry;
  return sameContent(entry, found) ? found : entry;
}

function connectionsOf({ sight, previous, waiting }: LedgerInput): readonly ClientConnection[] {
  const back = new Set(sight.connections.map((one) => one.remoteAddress));
  const awaited = waiting.v3 || waiting.v4 ? (previous?.connections ?? []) : [];
  const away = awaited.filter((one) => !back.has(one.remoteAddress));
  return sorted([...sight.connections, ...away], (one) => `${one.remoteAddress} ${one.remotePort} ${one.localPort}`);
}

function v3ClientsOf({ sight, previous, waiting, nowMs }: LedgerInput): readonly V3Client[] {
  const before = new Map((previous?.v3Clients ?? []).map((one) => [one.name, one]));
  const present = [...sight.unnotified, ...sight.monitored];
  // Who has been notified is in no list of statd's until it takes a lock again; what it held is still to come back.
  const awaited = waiting.v3 ? [...before.values()] : [];
  const clients = new Map([...awaited, ...present].map((one) => [one.name, one]));
  return sorted(
    [...clients.values()].map(({ name, addresses }) => ({
      name,
      addresses,
      sinceMs: before.get(name)?.sinceMs ?? nowMs,
    })),
    (one) => one.name,
  );
}

function v4ClientsOf({ sight, previous, waiting, nowMs }: LedgerInput): readonly V4Client[] {
  const before = new Map((previous?.v4Clients ?? []).map((one) => [v4Identity(one), one]));
  const present = sight.v4Clients.map((one) => ({ ...one, sinceMs: before.get(v4Identity(one))?.sinceMs ?? nowMs }));
  const back = new Set(present.map(v4Identity));
  const away = waiting.v4 ? [...before.values()].filter((one) => !back.has(v4Identity(one))) : [];
  return sorted([...present, ...away], v4Identity);
}

/** A client's mounts of different minor versions are clients of their own to the server. */
export function v4Identity({ owner, minorVersion }: Pick<V4Client, "owner" | "minorVersion">): string {
  return `${minorVersion} ${owner}`;
}

/** True where both say the same, whenever they were written. */
export function sameContent(a: Ledger, b: Ledger): boolean {
  return JSON.stringify({ ...a, writtenAtMs: 0 }) === JSON.stringify({ ...b, writtenAtMs: 0 });
}

function sorted<T>(values: readonly T[], key: (value: T) => string): readonly T[] {
  const keyed = values.map((value) => [key(value), value] as const);
  keyed.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return keyed.map(([, value]) => value);
}
