/**
 * One NFSv3 client of the crowd: mounts, makes its file, locks it, and does after an SM_NOTIFY what the kernel's client
 * does (reclaimer, fs/lockd/clntlock.c): binds anew and asks for its lock once more, as a reclaim.
 */
import { messageOf } from "../../base/fault.ts";
import type { CrowdConfig, MemberPhase, MemberStatus } from "./config.ts";
import { openLines, type Lines } from "./lines.ts";
import { NFS_NULL, type Handle } from "./nfs-calls.ts";
import {
  encodeLockRequest,
  encodeTestRequest,
  encodeUnlockRequest,
  NLM_LOCK,
  NLM_TEST,
  NLM_UNLOCK,
  readState,
  type Lock,
} from "./nlm-calls.ts";
import { word } from "../../nfs/xdr.ts";

/** Refused connections, silence and graces together: longer than any grace that a spec allows by default. */
const TRIES_MAX = 120;
/** Of a client that has booted once. */
const OWN_STATE = 1;
/** No user of the server; root would be squashed anyway. */
const NOBODY = 65_534;

export interface Member {
  readonly address: string;
  /** Until its lock is granted. Rejects when that did not happen within its tries. */
  start(): Promise<void>;
  /** A sign of life on the NFS connection, which is made anew where it has ended. */
  alive(): Promise<void>;
  /** SM_NOTIFY. A state number that was told before is a repeated datagram. */
  notified(state: number): void;
  /** Its file, on which it has its one lock. */
  file(): Handle | undefined;
  /** True when somebody holds the lock of another client's file: nobody but that client ever asks for it. Undefined where the server does not say. */
  looksAt(other: Handle): Promise<boolean | undefined>;
  status(): MemberStatus;
  /** Gives its lock back, so that no takeover waits for a client that is gone, and ends. */
  stop(): Promise<void>;
}

export interface MemberWorld {
  readonly nowUs: () => number;
  readonly sleep: (durationMs: number) => Promise<void>;
}

/** What a client knows and is. */
interface Own {
  readonly address: string;
  readonly caller: string;
  readonly processId: number;
  readonly fileName: string;
  readonly lines: Lines;
  readonly world: MemberWorld;
  readonly retryMs: number;
  readonly states: number[];
  phase: MemberPhase;
  handle: Handle | undefined;
  reclaims: number;
  notifiedUs: number;
  reclaimedUs: number;
  trouble: string;
  cookie: number;
  stopped: boolean;
}

export function makeMember(config: CrowdConfig, world: MemberWorld, address: string, number: number): Member {
  const caller = `crowd-${number}`;
  const own: Own = {
    address,
    caller,
    processId: 1000 + number,
    fileName: `${config.session}-${number}.lock`,
    lines: openLines(config, address, { machine: caller, uid: NOBODY, gid: NOBODY }),
    world,
    retryMs: config.retryMs,
    states: [],
    phase: "starting",
    handle: undefined,
    reclaims: 0,
    notifiedUs: 0,
    reclaimedUs: 0,
    trouble: "",
    cookie: 0,
    stopped: false,
  };
  return {
    address,
    start: () => start(own),
    alive: () => tried(own, () => own.lines.files(NFS_NULL, word())),
    notified: (state) => {
      if (own.states.includes(state) || own.handle === undefined) return;
      own.states.push(state);
      own.notifiedUs = world.nowUs();
      own.phase = "reclaiming";
      void reclaim(own, own.handle);
    },
    file: () => own.handle,
    looksAt: (other) => look(own, other),
    status: () => {
      const { phase, states, reclaims, notifiedUs, reclaimedUs, trouble } = own;
      return { address, phase, states: [...states], reclaims, notifiedUs, reclaimedUs, trouble };
    },
    stop: async () => {
      own.stopped = true;
      await tried(own, () => giveBack(own));
      own.lines.close();
    },
  };
}

async function start(own: Own): Promise<void> {
  const file = await persist(own, () => own.lines.makeFile(own.fileName));
  own.handle = file;
  const answer = file === undefined ? undefined : await persist(own, () => askForLock(own, file, false));
  if (answer !== "granted") throw new Error(`${own.address} was given no lock: ${own.trouble}`);
  own.phase = "holding";
}

async function reclaim(own: Own, file: Handle): Promise<void> {
  const forState = own.states.at(-1);
  own.lines.forgetLocks();
  const answer = await persist(own, () => askForLock(own, file, true));
  // Notified again meanwhile: that reclaim is the one that counts.
  if (forState !== own.states.at(-1) || own.stopped) return;
  own.phase = answer === "granted" ? "holding" : "lost";
  if (answer !== "granted") return;
  own.reclaims += 1;
  own.reclaimedUs = own.world.nowUs();
}

/** Undefined: to be asked again. */
async function askForLock(own: Own, file: Handle, asReclaim: boolean): Promise<"granted" | "refused" | undefined> {
  const request = { cookie: nextCookie(own), lock: lockOf(own, file), reclaim: asReclaim, state: OWN_STATE };
  const state = readState(await own.lines.locks(NLM_LOCK, encodeLockRequest(request)));
  if (state === "granted") return "granted";
  own.trouble = `${asReclaim ? "reclaim" : "lock"}: ${state}`;
  // To a reclaim it means that the grace is over (nlmsvc_lock, fs/lockd/svclock.c); to a new lock, that it lasts.
  if (state === "denied-grace-period") return asReclaim ? "refused" : undefined;
  return state === "denied" ? "refused" : undefined;
}

function look(own: Own, other: Handle): Promise<boolean | undefined> {
  return persist(own, async () => {
    const request = encodeTestRequest(nextCookie(own), lockOf(own, other));
    const state = readState(await own.lines.locks(NLM_TEST, request));
    if (state === "denied") return true;
    return state === "granted" ? false : undefined;
  });
}

async function giveBack(own: Own): Promise<void> {
  if (own.handle === undefined) return;
  await own.lines.locks(NLM_UNLOCK, encodeUnlockRequest(nextCookie(own), lockOf(own, own.handle)));
  await own.lines.removeFile(own.fileName);
}

function lockOf({ caller, processId }: Own, handle: Handle): Lock {
  const owner = new TextEncoder().encode(`${processId}@${caller}`);
  return { caller, handle, owner, processId, offset: 0n, length: 1n };
}

function nextCookie(own: Own): Uint8Array {
  own.cookie += 1;
  return word(own.cookie);
}

/** Hard, like a mount: asked again until it is answered. */
async function persist<T>(own: Own, deed: () => Promise<T | undefined>): Promise<T | undefined> {
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    if (own.stopped) break;
    try {
      const done = await deed();
      if (done !== undefined) return done;
    } catch (error) {
      own.trouble = messageOf(error);
    }
    await own.world.sleep(own.retryMs);
  }
  return undefined;
}

/** Once; what goes wrong is written down. */
async function tried(own: Own, deed: () => Promise<unknown>): Promise<void> {
  try {
    await deed();
  } catch (error) {
    own.trouble = messageOf(error);
  }
}
