/** ONC RPC version 2 (RFC 5531): calls and replies, and the record marking that TCP needs (section 11). Pure. */
import { join, opaque, readerOf, text, word, type Xdr } from "./xdr.ts";

const CALL = 0;
export const REPLY = 1;
const RPC_VERSION = 2;
const AUTH_NONE = 0;
const AUTH_SYS = 1;
/** Section 8.2. */
const AUTH_BYTES_MAX = 400;

/** RFC 1813, section 3; the same for every version. */
export const NFS_PROGRAM = 100_003;
/** The lock manager's: Protocols for Interworking: XNFS, chapter 10; version 4 is of NFSv3 (RFC 1813, appendix II). */
export const NLM_PROGRAM = 100_021;
export const NLM_VERSION = 4;
/** NLMPROC4_UNLOCK. */
export const NLM_UNLOCK = 4;
/** The portmapper's, and rpcbind's (RFC 1833, section 2.1). */
export const RPCBIND_PROGRAM = 100_000;

export interface Procedure {
  readonly program: number;
  readonly version: number;
  readonly procedure: number;
}

/** AUTH_SYS (appendix A): who the caller says it is. */
export interface Credential {
  readonly machine: string;
  readonly uid: number;
  readonly gid: number;
}

export interface Call extends Procedure {
  readonly xid: number;
  readonly body: Xdr;
}

export type Reply =
  | { readonly xid: number; readonly body: Xdr }
  /** Why there is no result, in the words of RFC 5531. */
  | { readonly xid: number; readonly failure: string };

export function encodeCall(call: Call, credential?: Credential): Xdr {
  const { xid, program, version, procedure, body } = call;
  return join(
    word(xid, CALL, RPC_VERSION, program, version, procedure),
    credential === undefined ? noAuth() : systemAuth(credential),
    noAuth(),
    body,
  );
}

function noAuth(): Xdr {
  return word(AUTH_NONE, 0);
}

/** The stamp means nothing to any server; no further groups. */
function systemAuth({ machine, uid, gid }: Credential): Xdr {
  return join(word(AUTH_SYS), opaque(join(word(0), text(machine), word(uid, gid, 0))));
}

/** Undefined for what is no call. */
export function readCall(message: Uint8Array): Call | undefined {
  const reader = readerOf(message);
  try {
    const xid = reader.word();
    if (reader.word() !== CALL || reader.word() !== RPC_VERSION) return undefined;
    const [program, version, procedure] = [reader.word(), reader.word(), reader.word()];
    for (let auth = 0; auth < 2; auth += 1) {
      reader.word();
      reader.opaque(AUTH_BYTES_MAX);
    }
    return { xid, program, version, procedure, body: reader.rest() };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** An accepted call's result. */
export function encodeReply(xid: number, body: Xdr): Xdr {
  return join(word(xid, REPLY, 0), noAuth(), word(0), body);
}

const NOT_ACCEPTED: readonly string[] = [
  "SUCCESS",
  "PROG_UNAVAIL",
  "PROG_MISMATCH",
  "PROC_UNAVAIL",
  "GARBAGE_ARGS",
  "SYSTEM_ERR",
];

/** Throws a RangeError where the message is shorter than a reply. */
export function readReply(message: Uint8Array): Reply {
  const reader = readerOf(message);
  const xid = reader.word();
  if (reader.word() !== REPLY) return { xid, failure: "no reply but a call" };
  if (reader.word() !== 0) {
    return { xid, failure: reader.word() === 0 ? "RPC_MISMATCH" : `AUTH_ERROR ${reader.word()}` };
  }
  reader.word();
  reader.opaque(AUTH_BYTES_MAX);
  const state = reader.word();
  return state === 0 ? { xid, body: reader.rest() } : { xid, failure: NOT_ACCEPTED[state] ?? `accept_stat ${state}` };
}

/** The highest bit of a record mark. */
export const LAST_FRAGMENT = 0x80000000;
/** Far more than any answer here; a length beyond it is no record mark. */
const RECORD_BYTES_MAX = 1024 * 1024;

/** One message as one record of one fragment. */
export function encodeRecord(message: Xdr): Xdr {
  return join(word((LAST_FRAGMENT | message.length) >>> 0), message);
}

export interface RecordReader {
  /** Messages that are whole now. Throws a RangeError where the stream is none of records. */
  push(chunk: Uint8Array): readonly Uint8Array[];
}

export function openRecordReader(): RecordReader {
  let waiting: Uint8Array = new Uint8Array();
  let fragments: Uint8Array[] = [];
  return {
    push: (chunk) => {
      waiting = join(waiting, chunk);
      const messages: Uint8Array[] = [];
      while (waiting.length >= 4) {
        const mark = readerOf(waiting).word();
        const length = mark & ~LAST_FRAGMENT;
        if (length > RECORD_BYTES_MAX) throw new RangeError(`record of ${length} bytes`);
        if (waiting.length < 4 + length) break;
        fragments.push(waiting.slice(4, 4 + length));
        waiting = waiting.slice(4 + length);
        if ((mark & LAST_FRAGMENT) === 0) continue;
        messages.push(join(...fragments));
        fragments = [];
      }
      return messages;
    },
  };
}

/** The portmapper's question (RFC 1833, section 3): on which port does a program listen? */
export const GET_PORT: Procedure = { program: RPCBIND_PROGRAM, version: 2, procedure: 3 };
export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;

export interface PortQuestion {
  readonly program: number;
  readonly version: number;
  /** PROTOCOL_TCP or PROTOCOL_UDP. */
  readonly protocol: number;
}

export function encodePortQuestion({ program, version, protocol }: PortQuestion): Xdr {
  return word(program, version, protocol, 0);
}

export function readPortQuestion(body: Uint8Array): PortQuestion {
  const reader = readerOf(body);
  return { program: reader.word(), version: reader.word(), protocol: reader.word() };
}

/** 0: it is not registered. */
export function readPort(body: Uint8Array): number {
  return readerOf(body).word();
}

export function encodePort(port: number): Xdr {
  return word(port);
}
