/** What a client says to be given a file over NFSv3: MOUNT version 3 and NFS version 3 (RFC 1813). Pure. */
import { Fault } from "../../base/fault.ts";
import { NFS_PROGRAM, type Procedure } from "../../nfs/rpc.ts";
import { flag, join, opaque, readerOf, text, word, type Xdr, type XdrReader } from "../../nfs/xdr.ts";

/** NFS3_FHSIZE. */
const HANDLE_BYTES_MAX = 64;

/** Opaque to the client. */
export type Handle = Uint8Array;

export const MOUNT_PROGRAM = 100_005;

export const MOUNT: Procedure = { program: MOUNT_PROGRAM, version: 3, procedure: 1 };
export const NFS_NULL: Procedure = { program: NFS_PROGRAM, version: 3, procedure: 0 };
export const LOOKUP: Procedure = { program: NFS_PROGRAM, version: 3, procedure: 3 };
export const CREATE: Procedure = { program: NFS_PROGRAM, version: 3, procedure: 8 };
/** Its arguments are those of LOOKUP (diropargs3). */
export const REMOVE: Procedure = { program: NFS_PROGRAM, version: 3, procedure: 12 };

export function encodeMount(path: string): Xdr {
  return text(path);
}

/** The handle of the mounted folder; which flavours of authentication it takes is not asked. */
export function readMount(body: Uint8Array): Handle {
  const reader = readerOf(body);
  requireOk("MNT", reader);
  return reader.opaque(HANDLE_BYTES_MAX);
}

export function encodeLookup(folder: Handle, name: string): Xdr {
  return join(opaque(folder), text(name));
}

export function readLookup(body: Uint8Array): Handle {
  const reader = readerOf(body);
  requireOk("LOOKUP", reader);
  return reader.opaque(HANDLE_BYTES_MAX);
}

const UNCHECKED = 0;
const DONT_CHANGE = 0;

/** With a mode of its own and nothing else: owner, group, size and times are the server's. A file that is there is kept. */
export function encodeCreate(folder: Handle, name: string, mode: number): Xdr {
  const attributes = join(
    join(flag(true), word(mode)),
    flag(false),
    flag(false),
    flag(false),
    word(DONT_CHANGE, DONT_CHANGE),
  );
  return join(opaque(folder), text(name), word(UNCHECKED), attributes);
}

/** A server may leave the handle out (post_op_fh3); then it has to be looked up. */
export function readCreate(body: Uint8Array): Handle | undefined {
  const reader = readerOf(body);
  requireOk("CREATE", reader);
  return reader.flag() ? reader.opaque(HANDLE_BYTES_MAX) : undefined;
}

function requireOk(what: string, reader: XdrReader): void {
  const status = reader.word();
  if (status !== 0) throw new Fault({ code: "nfs-refused", what: `${what} was answered with status ${status}` });
}
