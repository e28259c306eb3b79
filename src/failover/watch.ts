/**
 * What follows from one look at a serving fileserver: the ledger's next entry, the end of lockd's grace, what is said
 * of it. Pure: the agent looks, does what is named here, and takes the new state only when it was done.
 */
import { known } from "../base/observed.ts";
import { expectedClients, ruleWhileWaiting, v4GraceReasons, type GraceSight, type Inheritance } from "./grace.ts";
import { NOTHING_SEEN, remember, UNWATCHED, type LockMemory } from "./lock-memory.ts";
import { lateAfterLook, withoutLate } from "./late.ts";
import {
  nextLedger,
  sameContent,
  type Ledger,
  type MonitoredClient,
  type ServiceSight,
  type Waiting,
} from "./ledger.ts";

export interface WatchStart {
  readonly node: string;
  readonly inherited: Inheritance;
  /** The entry on the volume as this watch begins; undefined where there is none. */
  readonly written: Ledger | undefined;
  /** Whether lockd's grace was left to this watch. */
  readonly v3GraceLasts: boolean;
  /** The spec's bound of either grace. */
  readonly limitMs: number;
  readonly lockdPort: number;
  /** Looks that are further apart than this have something between them: the node or its storage stood still. */
  readonly gapMs: number;
  /** The address was closed since the takeover, and opened again before this watch. */
  readonly keptOut: boolean;
  readonly startedMs: number;
}

export interface WatchState {
  readonly waiting: Waiting;
  /** Of the v3 locks; nothing was watched before the first look. */
  readonly lockMemory: LockMemory;
  /** The entry on the volume. */
  readonly written: Ledger | undefined;
  /** By name: when a client was first seen to have answered its notification; monotonic. */
  readonly notifiedAtMs: ReadonlyMap<string, number>;
  /** What clients do to reclaim, as text: when it last changed. */
  readonly reclaims: string;
  readonly changedAtMs: number;
  readonly lookedAtMs: number;
  /** Clients that have not answered and are connected, by name: while the grace lasts, and where they were late for it. */
  readonly telling: ReadonlyMap<string, Telling>;
  /** For good: in this grace quiet says nothing any more. */
  readonly interrupted: boolean;
}

/** Monotonic: since when a client is told, and when it was told last. */
export interface Telling {
  readonly firstMs: number;
  readonly lastMs: number;
}

export interface WatchNow {
  readonly monotonicMs: number;
  readonly wallMs: number;
  /** As nfsd says. */
  readonly v4GraceLasts: boolean;
  /** The address is open: clients can ask, so that it means something when they do not. */
  readonly reachable: boolean;
}

/** To be done, and then `state` holds. */
export interface WatchOutcome {
  readonly endV3Grace?: {
    readonly because: readonly string[];
    /** Whoever has not answered holds nothing: told later, it would give up locks that it has only taken since. */
    readonly stopNotifier: boolean;
    /** It ends without somebody: only when the ledger that names him is on the volume. */
    readonly atLimit: boolean;
  };
  readonly writeLedger: boolean;
  readonly ledger: Ledger;
  readonly state: WatchState;
  readonly graceSight: GraceSight;
  readonly grace: { readonly v3: GracePart; readonly v4: GracePart };
  /** Clients that lost something at a limit before the takeover: may be notified now, and are put into the list. */
  readonly listLate: readonly MonitoredClient[];
  /**
   * Clients that have come back and have not been told: to be told at once, because the notifier's next attempt may be
   * minutes away. While the grace lasts they would come too late for it; after it they give up everything when they hear
   * of it, with what they have taken since.
   */
  readonly notifyAtOnce: readonly string[];
  /** Clients that have answered since the last look. */
  readonly newlyNotified: readonly string[];
}

export interface GracePart {
  readonly lasts: boolean;
  readonly because: readonly string[];
  readonly endsWithinS?: number;
}

/**
 * A connection says little: one that stands since before the client was cut off looks the same when it is back. So who
 * has one is told again and again; sm-notify itself waits so long for a first answer (sm-notify(8)).
 */
export const TELL_AGAIN_MS = 2_000;
/** sm-notify gives up then, and nfsd has long closed a connection without a request (svc_age_temp_xprts, net/sunrpc/svc_xprt.c). */
const TELL_FOR_MS = 15 * 60_000;

export function beginWatch({ written, v3GraceLasts, keptOut, startedMs }: WatchStart): WatchState {
  return {
    waiting: { v3: v3GraceLasts, v4: true },
    lockMemory: UNWATCHED,
    written,
    notifiedAtMs: new Map(),
    reclaims: "",
    changedAtMs: startedMs,
    lookedAtMs: startedMs,
    telling: new Map(),
    interrupted: v3GraceLasts && keptOut,
  };
}

export function watchLook(start: WatchStart, state: WatchState, look: ServiceSight, now: WatchNow): WatchOutcome {
  const unnotified = look.unnotified.map((one) => one.name);
  const connected = look.connections.filter((one) => one.localPort === start.lockdPort).map((one) => one.remoteAddress);
  const reclaims = JSON.stringify([unnotified, connected, look.v3Locks]);
  const changedAtMs = reclaims === state.reclaims ? state.changedAtMs : now.monotonicMs;
  const gap = now.monotonicMs - state.lookedAtMs > start.gapMs;
  const interrupted = state.interrupted || (state.waiting.v3 && (!now.reachable || gap));
  const expected = expectedClients(start.inherited);
  const newlyNotified = (expected.known ? expected.value : [])
    .map((one) => one.name)
    .filter((name) => !unnotified.includes(name) && !state.notifiedAtMs.has(name));
  const notifiedAtMs = new Map([
    ...state.notifiedAtMs,
    ...newlyNotified.map((name) => [name, now.monotonicMs] as const),
  ]);
  const graceSight: GraceSight = {
    unnotified,
    connected,
    v3Locks: look.v3Locks,
    quietMs: now.monotonicMs - changedAtMs,
    interrupted,
    notifiedAgoMs: new Map([...notifiedAtMs].map(([name, atMs]) => [name, now.monotonicMs - atMs])),
    elapsedMs: now.monotonicMs - start.startedMs,
  };
  const ruling = state.waiting.v3 ? ruleWhileWaiting(start.inherited, known(graceSight), start.limitMs) : undefined;
  const atLimit = ruling?.end === true && graceSight.elapsedMs >= start.limitMs;
  const waiting: Waiting = { v3: ruling?.end === false, v4: state.waiting.v4 && now.v4GraceLasts };
  const stopNotifier = ruling?.end === true && unnotified.length > 0 && !atLimit;
  // After any other end nobody had anything to lose: a list that a dead agent has left behind names holders of new locks.
  const { late, list } = lateAfterLook({
    before: state.written?.late ?? [],
    unnotified: look.unnotified,
    graceLasts: waiting.v3 || waiting.v4,
    endsAtLimit: atLimit,
    listDropped: stopNotifier,
  });
  // By the look that ends the grace, too: where nothing changes there may be none after it for a long time.
  const untold = waiting.v3 ? withoutLate(look.unnotified, late) : waiting.v4 ? [] : late;
  const toldBefore = state.waiting.v3 === waiting.v3 ? state.telling : new Map<string, Telling>();
  // While the grace lasts the takeover itself has told everybody once, as it began.
  const atFirst = waiting.v3 ? { firstMs: start.startedMs, lastMs: start.startedMs } : undefined;
  const telling = tell(connectedOf(untold, look), toldBefore, atFirst, now.monotonicMs);
  const ledger = nextLedger({
    node: start.node,
    nowMs: now.wallMs,
    sight: look,
    lockMemory: state.lockMemory === UNWATCHED ? NOTHING_SEEN : state.lockMemory,
    previous: state.written,
    waiting,
    final: false,
    late,
  });
  const endsWithinS = Math.max(0, Math.ceil((start.limitMs - graceSight.elapsedMs) / 1000));
  const part = (lasts: boolean, because: () => readonly string[]): GracePart =>
    lasts ? { lasts, because: because(), endsWithinS } : { lasts, because: [] };
  return {
    ...(ruling?.end === true ? { endV3Grace: { because: ruling.because, stopNotifier, atLimit } } : {}),
    writeLedger: state.written === undefined || !sameContent(ledger, state.written),
    ledger,
    state: {
      waiting,
      lockMemory: remember(state.lockMemory, look.v3Locks, { nowMs: now.monotonicMs, awaiting: state.waiting.v3 }),
      written: ledger,
      notifiedAtMs,
      reclaims,
      changedAtMs,
      lookedAtMs: now.monotonicMs,
      telling,
      interrupted,
    },
    graceSight,
    grace: {
      v3: part(waiting.v3, () => ruling?.because ?? []),
      v4: part(waiting.v4, () => v4GraceReasons(state.written, look)),
    },
    listLate: list,
    notifyAtOnce: [...telling].flatMap(([name, { lastMs }]) => (lastMs === now.monotonicMs ? [name] : [])),
    newlyNotified,
  };
}

/** By whatever connection: NFS comes back before the lock manager. */
function connectedOf(late: readonly MonitoredClient[], { connections }: ServiceSight): readonly string[] {
  const back = new Set(connections.map((one) => one.remoteAddress));
  return late.filter(({ addresses }) => addresses.some((address) => back.has(address))).map(({ name }) => name);
}

/** Who is told by this look has its time. */
function tell(
  names: readonly string[],
  before: ReadonlyMap<string, Telling>,
  atFirst: Telling | undefined,
  nowMs: number,
): ReadonlyMap<string, Telling> {
  return new Map(
    names.map((name): readonly [string, Telling] => {
      const told = before.get(name) ?? atFirst;
      if (told === undefined) return [name, { firstMs: nowMs, lastMs: nowMs }];
      const again = nowMs - told.lastMs >= TELL_AGAIN_MS && nowMs - told.firstMs < TELL_FOR_MS;
      return [name, again ? { ...told, lastMs: nowMs } : told];
    }),
  );
}
