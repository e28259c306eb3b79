/** A client and a server that talk NFS, played for tests: each message as the frame that carries it. */
import { encodeCall, encodeRecord, encodeReply, NFS_PROGRAM } from "../../nfs/rpc.ts";
import { join, opaque, text, word, type Xdr } from "../../nfs/xdr.ts";
import { captured, tcp } from "../capture/fake-frames.ts";
import type { CapturedFrame } from "../capture/pcap.ts";
import { OPERATION, type NfsEnds } from "./nfs-messages.ts";

const CREDENTIAL = { machine: "c1", uid: 0, gid: 0 };

function operation(number: number): Xdr {
  if (number === OPERATION.SEQUENCE) return join(word(number), new Uint8Array(32));
  if (number === OPERATION.PUTFH) return join(word(number), opaque(new Uint8Array(28)));
  return word(number);
}

/** What lies behind the last operation's number are zeros. */
export function compoundCall(xid: number, operations: readonly number[], minorVersion = 2): Xdr {
  const body = join(text(""), word(minorVersion, operations.length), ...operations.map(operation), new Uint8Array(40));
  return encodeRecord(encodeCall({ xid, program: NFS_PROGRAM, version: 4, procedure: 1, body }, CREDENTIAL));
}

export function nfs3Call(xid: number, program = NFS_PROGRAM): Xdr {
  const body = opaque(new Uint8Array(28));
  return encodeRecord(encodeCall({ xid, program, version: 3, procedure: 6, body }, CREDENTIAL));
}

export function nfsReply(xid: number, status = 0): Xdr {
  return encodeRecord(encodeReply(xid, join(word(status), new Uint8Array(24))));
}

/** Of one client's connection. */
export interface Player {
  asks(atMs: number, ...messages: readonly Xdr[]): CapturedFrame;
  answers(atMs: number, ...messages: readonly Xdr[]): CapturedFrame;
  connects(atMs: number): CapturedFrame;
}

/** The first addresses of both ends. */
export function playedConnection({ client, fileserver }: NfsEnds, port = 812): Player {
  const ends = [[client[0] ?? "", port] as const, [fileserver[0] ?? "", 2049] as const] as const;
  const frame = (
    atMs: number,
    [from, to]: typeof ends | readonly [(typeof ends)[1], (typeof ends)[0]],
    flags: string,
    messages: readonly Xdr[],
  ): CapturedFrame => captured(atMs, tcp({ from, to, flags, payload: [...join(...messages)] }));
  const back = [ends[1], ends[0]] as const;
  return {
    asks: (atMs, ...messages) => frame(atMs, ends, "A", messages),
    answers: (atMs, ...messages) => frame(atMs, back, "A", messages),
    connects: (atMs) => frame(atMs, ends, "S", []),
  };
}
