/** The question that every RPC server answers: procedure 0, NULL (RFC 5531, section 12; RFC 1813, section 3.3.0). */
import { encodeCall, encodeRecord, NFS_PROGRAM, REPLY } from "./rpc.ts";

/** A server that has only version 4 answers PROG_MISMATCH, which is an answer: a thread took the call and replied. */
const NULL = { program: NFS_PROGRAM, version: 3, procedure: 0, body: new Uint8Array() } as const;

/** A call with its record mark, for TCP (RFC 5531, section 11). `xid` is an unsigned 32-bit number. */
export function nullCall(xid: number): Buffer {
  return Buffer.from(encodeRecord(encodeCall({ ...NULL, xid })));
}

/**
 * Whether what has come so far is the reply to that call; undefined while that cannot be told yet. As soon as it is known
 * whose reply it is, whatever it says: the rest need not come.
 */
export function isNullReply(data: Buffer, xid: number): boolean | undefined {
  if (data.length < 12) return undefined;
  return data.readUInt32BE(4) === xid && data.readUInt32BE(8) === REPLY;
}
