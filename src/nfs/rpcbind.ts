/**
 * What rpcbind is told of an NFS server (RFC 1833, section 2; version 4 of the protocol). Pure.
 *
 * The kernel does it itself for listeners that rpc.nfsd(8) has opened; those that it opens when told so in
 * /proc/fs/nfsd/portlist are unknown to rpcbind (SVC_SOCK_ANONYMOUS, fs/nfsd/nfsctl.c).
 */
import type { FileserverSpec } from "../model/spec.ts";
import { NFS_PORT } from "./configuration.ts";
import { encodeCall, encodeRecord, NFS_PROGRAM, readReply, RPCBIND_PROGRAM } from "./rpc.ts";
import { join, readerOf, text, word, type Xdr } from "./xdr.ts";

/** As rpcinfo(8) shows it. */
export interface Registration {
  readonly program: number;
  readonly version: number;
  readonly netid: "tcp" | "tcp6";
  /** Universal address (RFC 5665, section 5.2.3). */
  readonly address: string;
}

const RPCBIND = { program: RPCBIND_PROGRAM, version: 4 } as const;
const SET = 1;
/** Solaris' protocol for POSIX ACLs beside NFSv3; the kernel's server has it. */
const NFS_ACL = 100_227;
/** Whoever connects by the local socket as root is entered so (rpcbind, src/rpcb_svc_com.c). */
const OWNER = "superuser";

export function registrationsOf(fileserver: FileserverSpec): readonly Registration[] {
  const versions = [
    ...(fileserver.protocols.includes("v3") ? [[NFS_PROGRAM, 3] as const, [NFS_ACL, 3] as const] : []),
    ...(fileserver.protocols.includes("v4") ? [[NFS_PROGRAM, 4] as const] : []),
  ];
  return versions.flatMap(([program, version]): readonly Registration[] => [
    { program, version, netid: "tcp", address: universalAddress("0.0.0.0", NFS_PORT) },
    { program, version, netid: "tcp6", address: universalAddress("::", NFS_PORT) },
  ]);
}

/** RFC 5665, section 5.2.3.3: the port as two numbers of a byte each. */
export function universalAddress(address: string, port: number): string {
  return `${address}.${port >> 8}.${port & 0xff}`;
}

/** One call per registration, numbered from 1, as records of a stream. */
export function encodeSets(registrations: readonly Registration[]): Xdr {
  return join(
    ...registrations.map(({ program, version, netid, address }, index) => {
      const body = join(word(program, version), text(netid), text(address), text(OWNER));
      return encodeRecord(encodeCall({ ...RPCBIND, procedure: SET, xid: index + 1, body }));
    }),
  );
}

/** Undefined: it is registered. Otherwise why not. Throws a RangeError where the message is no answer. */
export function whyNotSet(message: Uint8Array): string | undefined {
  const reply = readReply(message);
  if ("failure" in reply) return reply.failure;
  // False: another owner has registered the same before (rpcbproc_set_com, rpcbind).
  return readerOf(reply.body).flag() ? undefined : "it is registered for another already";
}
