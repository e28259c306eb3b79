/**
 * SM_NOTIFY of the Network Status Monitor: "my locks are gone, reclaim yours" (X/Open XNFS, chapter 11; nsm_xmit_notify,
 * support/nsm/rpc.c of nfs-utils): a call with the server's name and state number. Pure.
 */
import { readCall } from "../../nfs/rpc.ts";
import { readerOf } from "../../nfs/xdr.ts";

export interface Notification {
  /** By what name clients know the server that restarted. */
  readonly name: string;
  /** Odd while it is up; higher after each restart. */
  readonly state: number;
}

const PROGRAM_STATUS = 100_024;
const PROGRAM_VERSION = 1;
const PROCEDURE_NOTIFY = 6;
/** SM_MAXSTRLEN, sm_inter.x. */
const NAME_BYTES_MAX = 1024;

/** The call in one datagram; undefined for everything else. */
export function readNotification(datagram: Uint8Array): Notification | undefined {
  const call = readCall(datagram);
  if (call?.program !== PROGRAM_STATUS || call.version !== PROGRAM_VERSION || call.procedure !== PROCEDURE_NOTIFY)
    return undefined;
  try {
    const reader = readerOf(call.body);
    const name = reader.text(NAME_BYTES_MAX);
    // The protocol's number is signed.
    return { name, state: reader.word() | 0 };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** The same over TCP, where a record mark stands before it (RFC 5531, section 11); only calls that one segment holds whole. */
export function readNotificationRecord(segment: Uint8Array): Notification | undefined {
  return readNotification(segment.subarray(4));
}
