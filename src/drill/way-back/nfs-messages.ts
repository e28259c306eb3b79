/**
 * What NFS client and server say to each other over TCP, as far as the client's way back needs it: record marking (RFC
 * 5531, section 11), who asks what, and how a COMPOUND of NFSv4 (RFC 8881, section 16.2) ended. Only messages that begin
 * where a segment's payload begins, or behind one that this segment holds whole; what is split otherwise is passed over. Pure.
 */
import { NFS_PORT } from "../../nfs/configuration.ts";
import { LAST_FRAGMENT, NFS_PROGRAM, readCall, readReply, REPLY } from "../../nfs/rpc.ts";
import { readerOf, type XdrReader } from "../../nfs/xdr.ts";
import { readPacket, type TcpPacket } from "../capture/packet.ts";
import type { CapturedFrame } from "../capture/pcap.ts";
import type { Protocol } from "../names.ts";

interface Message {
  readonly atMs: number;
  /** The same for a call, its reply, and whatever of the two is sent again on one connection. */
  readonly key: string;
}

export interface NfsCall extends Message {
  readonly kind: "call";
  /** Undefined for versions that no drill mounts. */
  readonly protocol: Protocol | undefined;
  /** NFSv4 operations from the first on, as far as their arguments are known here. */
  readonly operations: readonly number[];
}

export interface NfsReply extends Message {
  readonly kind: "reply";
  /** nfsstat3 or nfsstat4; undefined where RPC itself refused. */
  readonly status: number | undefined;
}

/** The client opens a connection. */
export interface NfsConnect {
  readonly kind: "connect";
  readonly atMs: number;
}

export type NfsMessage = NfsCall | NfsReply | NfsConnect;

/** RFC 8881, section 18. */
export const OPERATION = {
  LOCK: 12,
  OPEN: 18,
  PUTFH: 22,
  PUTROOTFH: 24,
  CREATE_SESSION: 43,
  SEQUENCE: 53,
  RECLAIM_COMPLETE: 58,
} as const;

/** Both ends by every address they have. */
export interface NfsEnds {
  readonly client: readonly string[];
  readonly fileserver: readonly string[];
}

/** In the order of the recording; what was sent twice is there twice. */
export function readNfs(frames: readonly CapturedFrame[], ends: NfsEnds): readonly NfsMessage[] {
  return frames.flatMap(({ atMs, bytes }) => {
    const packet = readPacket(bytes);
    if (packet?.kind !== "tcp") return [];
    const { source, destination, sourcePort, destinationPort } = packet;
    if (destinationPort === NFS_PORT && ends.client.includes(source) && ends.fileserver.includes(destination)) {
      return ofClient(packet, atMs);
    }
    if (sourcePort === NFS_PORT && ends.fileserver.includes(source) && ends.client.includes(destination)) {
      return ofServer(packet, atMs);
    }
    return [];
  });
}

function ofClient(packet: TcpPacket, atMs: number): readonly NfsMessage[] {
  if (packet.syn) return [{ kind: "connect", atMs }];
  return recordsOf(packet.payload, (record) => {
    const call = readCall(record);
    if (call?.program !== NFS_PROGRAM) return undefined;
    const key = `${packet.source} ${packet.sourcePort} ${call.xid}`;
    return { kind: "call", atMs, key, ...(call.version === 4 ? compoundOf(call.body) : plainCall(call.version)) };
  });
}

function ofServer(packet: TcpPacket, atMs: number): readonly NfsMessage[] {
  return recordsOf(packet.payload, (record) => {
    const message = readerOf(record);
    message.skip(4);
    if (message.word() !== REPLY) return undefined;
    const reply = readReply(record);
    const key = `${packet.destination} ${packet.destinationPort} ${reply.xid}`;
    return { kind: "reply", atMs, key, status: "body" in reply ? statusOf(reply.body) : undefined };
  });
}

const RECORD_MARK_BYTES = 4;

/** `read` says undefined, or throws a RangeError, where the bytes are no message: they are the middle of one. */
function recordsOf<T>(payload: Uint8Array, read: (record: Uint8Array) => T | undefined): readonly T[] {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const messages: T[] = [];
  for (let at = 0; at + RECORD_MARK_BYTES < payload.length;) {
    const mark = view.getUint32(at);
    if (mark < LAST_FRAGMENT) break;
    const start = at + RECORD_MARK_BYTES;
    const end = start + mark - LAST_FRAGMENT;
    const message = orUndefined(() => read(payload.subarray(start, end)));
    if (message === undefined) break;
    messages.push(message);
    at = end;
  }
  return messages;
}

function orUndefined<T>(read: () => T | undefined): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** NFSv3's NULL has an empty answer. */
function statusOf(body: Uint8Array): number {
  return body.length === 0 ? 0 : readerOf(body).word();
}

type Asked = Pick<NfsCall, "protocol" | "operations">;

function plainCall(version: number): Asked {
  return { protocol: version === 3 ? "v3" : undefined, operations: [] };
}

const TAG_BYTES_MAX = 1024;
const MINOR_VERSIONS: readonly (Protocol | undefined)[] = [undefined, "v4.1", "v4.2"];

function compoundOf(body: Uint8Array): Asked {
  const reader = readerOf(body);
  const operations: number[] = [];
  // The call of NULL has no body, and a segment may end before the COMPOUND does.
  const protocol = orUndefined(() => {
    reader.opaque(TAG_BYTES_MAX);
    return MINOR_VERSIONS[reader.word()];
  });
  orUndefined(() => readOperations(reader, operations));
  return { protocol, operations };
}

const SESSION_BYTES = 16;
const FILEHANDLE_BYTES_MAX = 128;

/** Up to and with the first operation whose arguments are of no interest here: how long they are is not known then. */
function readOperations(reader: XdrReader, operations: number[]): void {
  for (let left = reader.word(); left > 0; left -= 1) {
    const operation = reader.word();
    operations.push(operation);
    switch (operation) {
      case OPERATION.SEQUENCE:
        reader.skip(SESSION_BYTES + 4 * 4);
        break;
      case OPERATION.PUTFH:
        reader.opaque(FILEHANDLE_BYTES_MAX);
        break;
      case OPERATION.PUTROOTFH:
        break;
      default:
        return;
    }
  }
}
