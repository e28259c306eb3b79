/**
 * SM_NOTIFY of the Network Status Monitor: "my locks are gone, reclaim yours" (X/Open XNFS, chapter 11; nsm_xmit_notify,
 * support/nsm/rpc.c of nfs-utils). A SunRPC call (RFC 5531) with the server's name and state number, in XDR (RFC 4506). Pure.
 */

export interface Notification {
  /** By what name clients know the server that restarted. */
  readonly name: string;
  /** Odd while it is up; higher after each restart. */
  readonly state: number;
}

const CALL = 0;
const RPC_VERSION = 2;
const PROGRAM_STATUS = 100_024;
const PROGRAM_VERSION = 1;
const PROCEDURE_NOTIFY = 6;
/** SM_MAXSTRLEN, sm_inter.x. */
const NAME_BYTES_MAX = 1024;
/** RFC 5531, section 8.2. */
const AUTH_BYTES_MAX = 400;

/** The call in one datagram; undefined for everything else. */
export function readNotification(datagram: Uint8Array): Notification | undefined {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  try {
    return readCall(view);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** The same over TCP, where a record mark stands before it (RFC 5531, section 11); only calls that one segment holds whole. */
export function readNotificationRecord(segment: Uint8Array): Notification | undefined {
  return readNotification(segment.subarray(4));
}

function readCall(view: DataView): Notification | undefined {
  const wanted = [CALL, RPC_VERSION, PROGRAM_STATUS, PROGRAM_VERSION, PROCEDURE_NOTIFY];
  if (wanted.some((value, at) => view.getUint32(4 + at * 4) !== value)) return undefined;
  // Credential, then verifier: flavour, length, body.
  let at = 24;
  for (let auth = 0; auth < 2; auth++) {
    const authBytes = view.getUint32(at + 4);
    if (authBytes > AUTH_BYTES_MAX) return undefined;
    at += 8 + padded(authBytes);
  }
  const nameBytes = view.getUint32(at);
  if (nameBytes > NAME_BYTES_MAX) return undefined;
  const state = view.getInt32(at + 4 + padded(nameBytes));
  const name = new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + at + 4, nameBytes));
  return { name, state };
}

function padded(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}
