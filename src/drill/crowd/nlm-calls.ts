/**
 * The Network Lock Manager, version 4: the protocol of X/Open XNFS chapter 10 with the 64-bit offsets of RFC 1813's
 * appendix II. Pure.
 */
import { NLM_PROGRAM, NLM_UNLOCK as UNLOCK, NLM_VERSION, type Procedure } from "../../nfs/rpc.ts";
import { flag, join, long, opaque, readerOf, text, word, type Xdr } from "../../nfs/xdr.ts";
import type { Handle } from "./nfs-calls.ts";

export const NLM_TEST: Procedure = { program: NLM_PROGRAM, version: NLM_VERSION, procedure: 1 };
export const NLM_LOCK: Procedure = { program: NLM_PROGRAM, version: NLM_VERSION, procedure: 2 };
export const NLM_UNLOCK: Procedure = { program: NLM_PROGRAM, version: NLM_VERSION, procedure: UNLOCK };

/** nlm4_stats. */
export const NLM_STATES = [
  "granted",
  "denied",
  "denied-no-locks",
  "blocked",
  "denied-grace-period",
  "deadlock",
  "read-only",
  "stale-handle",
  "too-big",
  "failed",
] as const;
export type NlmState = (typeof NLM_STATES)[number];

/** MAXNETOBJ_SZ. */
const NETOBJ_BYTES_MAX = 1024;

export interface Lock {
  /** caller_name: by it and its address the server knows the client. */
  readonly caller: string;
  readonly handle: Handle;
  /** oh: tells owners on one client apart. */
  readonly owner: Uint8Array;
  readonly processId: number;
  readonly offset: bigint;
  /** 0: up to the end of the file. */
  readonly length: bigint;
}

function encodeLock({ caller, handle, owner, processId, offset, length }: Lock): Xdr {
  return join(text(caller), opaque(handle), opaque(owner), word(processId), long(offset), long(length));
}

export interface LockRequest {
  readonly cookie: Uint8Array;
  readonly lock: Lock;
  /** During a grace: "I had it before you restarted". */
  readonly reclaim: boolean;
  /** The caller's own NSM state number: odd while it is up. */
  readonly state: number;
}

/** Exclusive, and not to be waited for. */
export function encodeLockRequest({ cookie, lock, reclaim, state }: LockRequest): Xdr {
  return join(opaque(cookie), flag(false), flag(true), encodeLock(lock), flag(reclaim), word(state));
}

export function encodeUnlockRequest(cookie: Uint8Array, lock: Lock): Xdr {
  return join(opaque(cookie), encodeLock(lock));
}

export function encodeTestRequest(cookie: Uint8Array, lock: Lock): Xdr {
  return join(opaque(cookie), flag(true), encodeLock(lock));
}

/** nlm4_res, and the head of nlm4_testres. */
export function readState(body: Uint8Array): NlmState {
  const reader = readerOf(body);
  reader.opaque(NETOBJ_BYTES_MAX);
  return stateOf(reader.word());
}

function stateOf(number: number): NlmState {
  const state = NLM_STATES[number];
  if (state === undefined) throw new RangeError(`nlm4_stats ${number}`);
  return state;
}
