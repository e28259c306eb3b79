/** One RPC connection over TCP from a chosen address and a reserved port. */
import { connect, type Socket } from "node:net";
import { Fault } from "../../base/fault.ts";
import {
  encodeCall,
  encodeRecord,
  openRecordReader,
  readReply,
  type Credential,
  type Procedure,
} from "../../nfs/rpc.ts";
import type { Xdr } from "../../nfs/xdr.ts";

export interface ConnectionSettings {
  readonly host: string;
  readonly port: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly credential: Credential;
  /** Of connecting, and of each answer. */
  readonly timeoutMs: number;
}

export interface Connection {
  /** Resolves with the result's bytes. Rejects where the connection ends, the server refuses, or nothing comes in time. */
  call(procedure: Procedure, body: Xdr): Promise<Uint8Array>;
  isOpen(): boolean;
  /** At once and without farewell, as a client whose server has restarted does; no port waits afterwards. */
  drop(): void;
}

interface Waiting {
  readonly resolve: (body: Uint8Array) => void;
  readonly reject: (why: Fault) => void;
}

export async function openConnection(settings: ConnectionSettings): Promise<Connection> {
  const { host, port, localAddress, localPort, credential, timeoutMs } = settings;
  const socket = connect({ host, port, localAddress, localPort, family: 4, noDelay: true });
  const waiting = new Map<number, Waiting>();
  const records = openRecordReader();
  let open = false;
  const end = (why: string): void => {
    open = false;
    const fault = new Fault({ code: "crowd-connection", what: `${localAddress} to ${host} port ${port}: ${why}` });
    for (const { reject } of waiting.values()) reject(fault);
    waiting.clear();
    socket.resetAndDestroy();
  };
  socket.on("data", (chunk) => {
    try {
      for (const message of records.push(chunk as Buffer)) settle(waiting, message);
    } catch (error) {
      end(error instanceof Error ? error.message : String(error));
    }
  });
  socket.on("error", (error) => end(error.message));
  socket.on("close", () => end("closed"));
  await connected(socket, timeoutMs, end);
  open = true;
  let xid = Math.trunc(localPort * 1000 + port);
  return {
    isOpen: () => open,
    drop: () => end("dropped"),
    call: (procedure, body) =>
      new Promise((resolve, reject) => {
        if (!open) return reject(new Fault({ code: "crowd-connection", what: `${localAddress}: not connected` }));
        xid += 1;
        const number = xid;
        const timer = setTimeout(() => end(`no answer within ${timeoutMs} ms`), timeoutMs);
        waiting.set(number, {
          resolve: (result) => (clearTimeout(timer), resolve(result)),
          reject: (why) => (clearTimeout(timer), reject(why)),
        });
        socket.write(encodeRecord(encodeCall({ xid: number, ...procedure, body }, credential)));
      }),
  };
}

function settle(waiting: Map<number, Waiting>, message: Uint8Array): void {
  const reply = readReply(message);
  const asked = waiting.get(reply.xid);
  waiting.delete(reply.xid);
  if ("body" in reply) asked?.resolve(reply.body);
  else asked?.reject(new Fault({ code: "crowd-refused", what: `the server answered ${reply.failure}` }));
}

function connected(socket: Socket, timeoutMs: number, end: (why: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => socket.destroy(new Error(`not connected within ${timeoutMs} ms`)), timeoutMs);
    socket.once("connect", () => (clearTimeout(timer), resolve()));
    socket.once("error", (error) => {
      clearTimeout(timer);
      end(error.message);
      reject(new Fault({ code: "crowd-connection", what: error.message, cause: error }));
    });
  });
}
