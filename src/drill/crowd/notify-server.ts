/**
 * What a client has to answer so that sm-notify(8) reaches it: its own portmapper on UDP port 111, which says where its
 * statd listens, and that statd's SM_NOTIFY (nsm_xmit_rpcbind and nsm_xmit_notify, support/nsm/rpc.c of nfs-utils). Each
 * client has sockets of its own, so that who was told is seen from where the datagram came in.
 */
import { createSocket, type Socket } from "node:dgram";
import { readNotification } from "../wire-check/notification.ts";
import { encodePort, encodeReply, GET_PORT, PROTOCOL_UDP, readCall, readPortQuestion } from "../../nfs/rpc.ts";
import type { Xdr } from "../../nfs/xdr.ts";

/** NSM (X/Open XNFS, chapter 11). */
const STATUS_PROGRAM = 100_024;
const NOTIFY_PROCEDURE = 6;

export interface NotifySettings {
  readonly address: string;
  readonly portmapPort: number;
  readonly notifyPort: number;
  readonly notified: (state: number) => void;
}

/** Resolves when both sockets listen; the result closes them. */
export async function serveNotify(settings: NotifySettings): Promise<() => void> {
  const { address, portmapPort, notifyPort, notified } = settings;
  const sockets = await Promise.all([
    listen(address, portmapPort, (datagram) => answerPortmap(datagram, notifyPort)),
    listen(address, notifyPort, (datagram) => answerNotify(datagram, notified)),
  ]);
  return () => {
    for (const socket of sockets) socket.close();
  };
}

type Answer = (datagram: Uint8Array) => Xdr | undefined;

function listen(address: string, port: number, answer: Answer): Promise<Socket> {
  const socket = createSocket("udp4");
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.on("message", (datagram, from) => {
      const reply = answer(datagram);
      // The sender is asked nothing more: a reply that cannot be sent is one that is lost on the way.
      if (reply !== undefined) socket.send(reply, from.port, from.address, () => undefined);
    });
    socket.bind({ address, port }, () => {
      socket.off("error", reject);
      socket.on("error", () => undefined);
      resolve(socket);
    });
  });
}

/** Any other program, and any other transport, is not registered: port 0. */
export function answerPortmap(datagram: Uint8Array, notifyPort: number): Xdr | undefined {
  const call = readCall(datagram);
  if (call === undefined || call.program !== GET_PORT.program) return undefined;
  if (call.version !== GET_PORT.version || call.procedure !== GET_PORT.procedure) return undefined;
  const { program, protocol } = readPortQuestion(call.body);
  const isKnown = program === STATUS_PROGRAM && protocol === PROTOCOL_UDP;
  return encodeReply(call.xid, encodePort(isKnown ? notifyPort : 0));
}

export function answerNotify(datagram: Uint8Array, notified: (state: number) => void): Xdr | undefined {
  const call = readCall(datagram);
  const told = readNotification(datagram);
  if (call?.program !== STATUS_PROGRAM || call.procedure !== NOTIFY_PROCEDURE || told === undefined) return undefined;
  notified(told.state);
  return encodeReply(call.xid, new Uint8Array());
}
