/**
 * When lockd's grace may end before its time. Nothing is ended on hope: a lock that somebody still has to reclaim
 * would be lost (docs/kernel-nfs.md, section 3). nfsd's own grace ends by itself when every client in its database has
 * said that it reclaimed everything; here is only said who is waited for.
 */
import { mapObserved, type Observed } from "../base/observed.ts";
import { withoutLate } from "./late.ts";
import { v4Identity, type Ledger, type MonitoredClient, type ServiceSight, type V4Client } from "./ledger.ts";

/** What the server before left, read once at the takeover. */
export interface Inheritance {
  /** Undefined where there is none: the volume was never served. */
  readonly ledger: Observed<Ledger | undefined>;
  /** statd's retired list: clients that held locks at some time, maybe not at the end. */
  readonly monitored: Observed<readonly MonitoredClient[]>;
}

/**
 * What lockd is told of its grace, for the whole node and from its own start: the agent ends each fileserver's by the
 * spec's limit, counted from when clients could come, and has written down by then who has not. The kernel's end is
 * behind that, also where the steps between take as long as they may (failover/step.ts); it is for an agent that is away.
 */
export function lockdGraceS(graceS: number): number {
  return Math.min(graceS + LOCKD_MARGIN_S, LOCKD_GRACE_MAX_S);
}

const LOCKD_MARGIN_S = 30;
/** nlm_grace_period_max, fs/lockd/svc.c. */
const LOCKD_GRACE_MAX_S = 240;

export interface GraceRuling {
  readonly end: boolean;
  /** One line per reason: why it ends, or what it waits for. */
  readonly because: readonly string[];
}

/** Whoever lost everything at a limit before has nothing to come back for; he is told when this grace is over. */
export function expectedClients({ ledger, monitored }: Inheritance): Observed<readonly MonitoredClient[]> {
  const late = ledger.known ? ledger.value?.late : undefined;
  return mapObserved(monitored, (clients) => withoutLate(clients, late));
}

/** Before the address is open: may the grace end without anybody coming back? */
export function ruleBeforeOpening(inherited: Inheritance): GraceRuling {
  const { ledger } = inherited;
  const monitored = expectedClients(inherited);
  if (!monitored.known) return wait(`statd's list could not be read: ${monitored.why}`);
  // lockd records a client before its first lock is granted and refuses the lock if it cannot (nlmsvc_lock, fs/lockd/svc4proc.c).
  if (monitored.value.length === 0) return end("no v3 client was monitored, so none holds a lock");
  if (!ledger.known) return wait(`the ledger could not be read: ${ledger.why}`);
  if (ledger.value?.final !== true)
    return wait(`${count(monitored.value.length, "v3 client")} may hold locks, and no orderly release says otherwise`);
  const held = ledger.value.v3Locks.length;
  return held === 0
    ? end("the release saw no v3 lock held")
    : wait(`${count(held, "v3 lock")} to be reclaimed: ${monitored.value.map((one) => one.name).join(", ")}`);
}

/** What is seen while the grace lasts; only reclaims are granted then (nlmsvc_lock, fs/lockd/svclock.c). */
export interface GraceSight {
  /** Names of those that have not answered their notification. */
  readonly unnotified: readonly string[];
  /** Addresses with a connection to lockd. */
  readonly connected: readonly string[];
  readonly v3Locks: readonly string[];
  /** Nothing of all this has changed for so long. */
  readonly quietMs: number;
  /** At some time of this grace clients could not reach the server, or nobody knows whether they could. */
  readonly interrupted: boolean;
  /** By name: how long ago a client was seen to have answered its notification. */
  readonly notifiedAgoMs: ReadonlyMap<string, number>;
  readonly elapsedMs: number;
}

/**
 * A client reclaims one lock after the other without a pause (reclaimer, fs/lockd/clntlock.c), each in one round trip.
 * One that is connected and has asked for nothing for so long has no more to ask for.
 *
 * lockd waits for statd's disk before it grants a client its first lock, and a storage that stalls is no quiet: this is
 * longer than the agent takes to silence the address of a node whose storage does not answer (agent/registration.ts:
 * 1 s, and a look of 250 ms). Not scaled where machines are emulated: neither are clients.
 */
export const RECLAIM_QUIET_MS = 1_500;

/** May the grace end now? `limitMs` is the spec's bound for it. */
export function ruleWhileWaiting(inherited: Inheritance, sight: Observed<GraceSight>, limitMs: number): GraceRuling {
  if (!sight.known) return wait(`the locks could not be read: ${sight.why}`);
  const { elapsedMs, quietMs, interrupted } = sight.value;
  if (elapsedMs >= limitMs)
    return end(`the spec's limit of ${seconds(limitMs)} is over`, ...waitedFor(inherited, sight.value));
  const before = ruleBeforeOpening(inherited);
  const monitored = expectedClients(inherited);
  if (before.end || !monitored.known || !inherited.ledger.known) return before;
  const ledger = inherited.ledger.value;
  const missing = missingLocks(ledger, sight.value);
  if (missing.steady > 0) return wait(...waitedFor(inherited, sight.value));
  if (ledger?.final === true && missing.fleeting === 0) return end(`all ${ledger.v3Locks.length} v3 locks are back`);
  // Either some locks were just being taken or given back, or a crash came between two entries of the ledger: who had
  // them is back and has nothing more to ask for.
  const away = clientsAway(monitored.value, sight.value);
  if (away.length > 0) return wait(...waitedFor(inherited, sight.value));
  // Whoever was kept out comes back when his TCP tries again, which may take as long again as he was kept out.
  if (interrupted) return wait("clients were kept away for a while: that nobody asks says nothing any more");
  if (quietMs < RECLAIM_QUIET_MS) return wait("every v3 client is back and still reclaims");
  return end(`every v3 client is back, ${count(sight.value.v3Locks.length, "v3 lock")} held, and none asks for more`);
}

/** For people: clients that are not back, and locks that are not. */
function waitedFor(inheritance: Inheritance, sight: GraceSight): readonly string[] {
  const { ledger } = inheritance;
  const monitored = expectedClients(inheritance);
  const known = monitored.known ? monitored.value : [];
  const clients = clientsAway(known, sight).map(({ name }) => `waiting for ${name}: ${awayBecause(name, sight)}`);
  const inherited = ledger.known ? ledger.value : undefined;
  const missing = missingLocks(inherited, sight);
  const total = inherited?.v3Locks.length ?? 0;
  return missing.steady === 0
    ? clients
    : [...clients, `${total - missing.steady - missing.fleeting} of ${count(total, "v3 lock")} reclaimed`];
}

function missingLocks(
  ledger: Ledger | undefined,
  sight: GraceSight,
): { readonly steady: number; readonly fleeting: number } {
  const held = new Set(sight.v3Locks);
  const missing = (ledger?.v3Locks ?? []).filter((lock) => !held.has(lock.key));
  const steady = missing.filter((lock) => lock.steady).length;
  return { steady, fleeting: missing.length - steady };
}

function clientsAway(clients: readonly MonitoredClient[], sight: GraceSight): readonly MonitoredClient[] {
  return clients.filter((client) => isAway(client, sight));
}

export function isAway(
  { name, addresses }: MonitoredClient,
  sight: Pick<GraceSight, "unnotified" | "connected">,
): boolean {
  // Without an address nobody can say whether it is connected; then it counts as away.
  return sight.unnotified.includes(name) || !addresses.some((address) => sight.connected.includes(address));
}

export function awayBecause(name: string, sight: Pick<GraceSight, "unnotified" | "notifiedAgoMs">): string {
  if (sight.unnotified.includes(name)) return "has not answered its notification";
  const agoMs = sight.notifiedAgoMs.get(name);
  return `notified${agoMs === undefined ? "" : ` ${seconds(agoMs)} ago`}, has not reconnected`;
}

/** Who nfsd waits for: in the ledger, and not back. */
export function v4ClientsAway(ledger: Ledger | undefined, sight: Pick<ServiceSight, "v4Clients">): readonly V4Client[] {
  const back = new Set(sight.v4Clients.map(v4Identity));
  return (ledger?.v4Clients ?? []).filter((client) => !back.has(v4Identity(client)));
}

export function v4GraceReasons(ledger: Ledger | undefined, sight: Pick<ServiceSight, "v4Clients">): readonly string[] {
  const away = v4ClientsAway(ledger, sight).map(
    (client) =>
      `waiting for ${client.owner} (${client.address}): ${client.courtesy ? "its lease had expired before the takeover" : "has not come back"}`,
  );
  return away.length > 0 ? away : ["every known v4 client is back; some still reclaim"];
}

function wait(...because: readonly string[]): GraceRuling {
  return { end: false, because };
}

function end(...because: readonly string[]): GraceRuling {
  return { end: true, because };
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}

function seconds(durationMs: number): string {
  return `${Math.round(durationMs / 1000)} s`;
}
