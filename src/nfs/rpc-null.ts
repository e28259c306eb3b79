/** The question that every RPC server answers: procedure 0, NULL (RFC 5531, section 12; RFC 1813, section 3.3.0). */

const NFS_PROGRAM = 100_003;
/** A server that has only version 4 answers PROG_MISMATCH, which is an answer: a thread took the call and replied. */
const NFS_VERSION = 3;
const RPC_VERSION = 2;
const CALL = 0;
const REPLY = 1;
const LAST_FRAGMENT = 0x8000_0000;
const HEADER_WORDS = 10;

/** A call with its record mark, for TCP (RFC 5531, section 11). `xid` is an unsigned 32-bit number. */
export function nullCall(xid: number): Buffer {
  // Credentials and verifier: AUTH_NONE, of length 0 each.
  const words = [xid, CALL, RPC_VERSION, NFS_PROGRAM, NFS_VERSION, 0, 0, 0, 0, 0];
  const call = Buffer.alloc(4 * (HEADER_WORDS + 1));
  call.writeUInt32BE((LAST_FRAGMENT | (4 * HEADER_WORDS)) >>> 0, 0);
  for (const [index, word] of words.entries()) call.writeUInt32BE(word, 4 * (index + 1));
  return call;
}

/** Whether what has come so far is the reply to that call; undefined while that cannot be told yet. */
export function isNullReply(data: Buffer, xid: number): boolean | undefined {
  if (data.length < 12) return undefined;
  return data.readUInt32BE(4) === xid && data.readUInt32BE(8) === REPLY;
}
