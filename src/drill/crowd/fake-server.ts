/** For tests: portmapper, mountd, nfsd and lockd as far as the crowd asks them, in one listener on loopback. */
import { createSocket } from "node:dgram";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { once } from "node:events";
import { MOUNT, MOUNT_PROGRAM, LOOKUP, CREATE } from "./nfs-calls.ts";
import { NLM_LOCK, NLM_STATES, NLM_TEST, NLM_UNLOCK, type NlmState } from "./nlm-calls.ts";
import {
  encodeCall,
  encodePort,
  encodePortQuestion,
  encodeRecord,
  encodeReply,
  GET_PORT,
  NFS_PROGRAM,
  NLM_PROGRAM,
  openRecordReader,
  PROTOCOL_UDP,
  readCall,
  readPort,
  readReply,
  type Call,
} from "../../nfs/rpc.ts";
import { flag, join, opaque, readerOf, text, word, type Xdr } from "../../nfs/xdr.ts";

export interface FakeServer {
  readonly port: number;
  /** By file handle as text: the caller that has the lock. */
  readonly locks: Map<string, string>;
  /** Callers of reclaims that were granted. */
  readonly reclaimed: string[];
  /** Connections end, locks are forgotten, a grace begins. */
  restart(): void;
  endGrace(): void;
  /** As sm-notify does; resolves with the port that the client's portmapper named. */
  notify(address: string, portmapPort: number, state: number): Promise<number>;
  close(): Promise<void>;
}

export async function startFakeServer(): Promise<FakeServer> {
  const locks = new Map<string, string>();
  const reclaimed: string[] = [];
  const sockets = new Set<Socket>();
  let inGrace = false;
  let port = 0;
  const lockd = (call: Call): NlmState => {
    const reader = readerOf(call.body);
    reader.opaque(1024);
    if (call.procedure === NLM_LOCK.procedure) reader.word();
    if (call.procedure !== NLM_UNLOCK.procedure) reader.word();
    const caller = reader.text(1024);
    const file = Buffer.from(reader.opaque(64)).toString();
    reader.opaque(1024);
    reader.skip(4 + 8 + 8);
    const holder = locks.get(file);
    if (call.procedure === NLM_UNLOCK.procedure) return (locks.delete(file), "granted");
    if (call.procedure === NLM_TEST.procedure) {
      return inGrace ? "denied-grace-period" : holder === undefined ? "granted" : "denied";
    }
    const reclaim = reader.flag();
    if (reclaim !== inGrace) return "denied-grace-period";
    if (holder !== undefined && holder !== caller) return "denied";
    locks.set(file, caller);
    if (reclaim) reclaimed.push(caller);
    return "granted";
  };
  const answer = (call: Call): Xdr => {
    const is = (procedure: number, program: number): boolean =>
      call.program === program && call.procedure === procedure;
    if (is(GET_PORT.procedure, GET_PORT.program)) return encodePort(port);
    if (is(MOUNT.procedure, MOUNT_PROGRAM)) return join(word(0), opaque(Buffer.from("root")), word(0));
    if (is(LOOKUP.procedure, NFS_PROGRAM)) return join(word(0), opaque(Buffer.from("folder")), word(0, 0));
    if (is(CREATE.procedure, NFS_PROGRAM)) {
      const reader = readerOf(call.body);
      reader.opaque(64);
      return join(word(0), flag(true), opaque(Buffer.from(reader.text(255))));
    }
    if (call.program === NLM_PROGRAM) return join(opaque(word(1)), word(NLM_STATES.indexOf(lockd(call))));
    return word();
  };
  const server = createServer((socket) => {
    const records = openRecordReader();
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => {
      for (const message of records.push(chunk as Buffer)) {
        const call = readCall(message);
        if (call !== undefined) socket.write(encodeRecord(encodeReply(call.xid, answer(call))));
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  port = (server.address() as AddressInfo).port;
  return {
    port,
    locks,
    reclaimed,
    restart: () => {
      locks.clear();
      inGrace = true;
      for (const socket of sockets) socket.resetAndDestroy();
    },
    endGrace: () => (inGrace = false),
    notify,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

async function notify(address: string, portmapPort: number, state: number): Promise<number> {
  const socket = createSocket("udp4");
  const ask = async (port: number, message: Xdr): Promise<Uint8Array> => {
    socket.send(message, port, address);
    const [datagram] = (await once(socket, "message")) as [Uint8Array];
    return datagram;
  };
  const question = encodePortQuestion({ program: 100_024, version: 1, protocol: PROTOCOL_UDP });
  const found = readReply(await ask(portmapPort, encodeCall({ xid: 1, ...GET_PORT, body: question })));
  const port = "body" in found ? readPort(found.body) : 0;
  const body = join(text("home.lab.example"), word(state));
  await ask(port, encodeCall({ xid: 2, program: 100_024, version: 1, procedure: 6, body }));
  socket.close();
  return port;
}
