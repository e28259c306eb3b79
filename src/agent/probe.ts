/** Asks the network whether somebody answers for an address, from the node's own interface: RFC 5227, section 2.1. */
import { Fault } from "../base/fault.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { toolPath } from "../system/tools.ts";
import type { Node } from "./context.ts";

/** How long somebody who has the address may take to answer; on a LAN an answer takes a millisecond. */
const PROBE_WINDOW_S = 0.3;
const PROBE_TIMEOUT_MS = 3_000;

/** The hardware address of whoever answers; undefined where nobody does. Rejects when the question could not be asked. */
export async function probeAddress(
  node: Node,
  fileserver: FileserverSpec,
  address: string,
): Promise<string | undefined> {
  // arping -D (iputils): 0 nobody answered, 1 somebody did; `timeout` cuts the wait short with 124.
  const result = await node.commands.run({
    tool: "timeout",
    args: [
      String(PROBE_WINDOW_S * node.timeScale),
      toolPath("arping"),
      "-D",
      "-I",
      fileserver.interface,
      "-c",
      "1",
      "-w",
      "1",
      address,
    ],
    timeoutMs: PROBE_TIMEOUT_MS,
  });
  if (result.status === 0 || result.status === 124) return undefined;
  const mac = /\[([0-9A-Fa-f:]{17})\]/.exec(result.stdout)?.[1]?.toLowerCase();
  if (mac !== undefined) return mac;
  throw new Fault({
    code: "address-probe-failed",
    what: `whether somebody has ${address} could not be found out: ${result.stderr.trim() || result.stdout.trim()}`,
  });
}

export function refuseTaken(fileserver: FileserverSpec, address: string, mac: string | undefined): void {
  if (mac === undefined) return;
  throw new Fault({
    kind: "refused",
    code: "address-taken",
    what: `${address} of ${fileserver.name} is answered for by ${mac}`,
    why: "two machines with one address: clients would talk to either",
    remedy:
      mac === fileserver.mac
        ? "that is the fileserver's own hardware address: another node still serves it; release it there first"
        : "find that machine and take the address from it, or give the fileserver another address",
  });
}

/**
 * Before a move the fileserver itself answers from the other node, with the hardware address that moves along; anybody
 * else is refused. True when that settles it for the takeover too: an ipvlan shares its parent's hardware address, so
 * there an answer says nothing yet.
 */
export async function probeBeforeMove(node: Node, fileserver: FileserverSpec): Promise<boolean> {
  if (fileserver.link === "ipvlan") return false;
  for (const { family, address } of fileserver.addresses) {
    if (family !== 4) continue;
    const mac = await probeAddress(node, fileserver, address);
    if (mac !== fileserver.mac) refuseTaken(fileserver, address, mac);
  }
  return true;
}
