/** RPC NULL, the call that every version has and that does nothing (RFC 5531, section 12), from within a fileserver's namespaces. */
import { messageOf } from "../base/fault.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { universalAddress } from "../nfs/rpcbind.ts";
import { toolPath } from "../system/tools.ts";
import { saidBy, type HolderClient } from "./holder-client.ts";

export interface CalledServer {
  /** For people: "its NFS server". */
  readonly what: string;
  readonly port: number;
  readonly program: number;
  readonly version: number;
}

/** What is wanting, where the server does not answer at the fileserver's first address; undefined where it does. Never rejects. */
export async function callNull(
  holder: HolderClient,
  fileserver: FileserverSpec,
  { what, port, program, version }: CalledServer,
  boundMs: number,
): Promise<string | undefined> {
  const [address] = fileserver.addresses;
  if (address === undefined) return undefined;
  const transport = address.family === 4 ? "tcp" : "tcp6";
  const seconds = String(Math.max(1, Math.ceil(boundMs / 1000)));
  const target = universalAddress(address.address, port);
  // rpcinfo has no bound of its own that could be set (rpcinfo(8)); `timeout` has.
  const call = [toolPath("rpcinfo"), "-a", target, "-T", transport, String(program), String(version)];
  try {
    const result = await holder.run([[toolPath("timeout"), seconds, ...call]], boundMs + 1_000);
    return result.status === 0 ? undefined : `${what} does not answer at ${address.address}: ${saidBy(result)}`;
  } catch (error) {
    return `${what} was not asked: ${messageOf(error)}`;
  }
}
