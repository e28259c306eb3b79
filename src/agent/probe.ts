/** Asks the network whether somebody answers for an address, from the node's own interface: RFC 5227, section 2.1. */
import { Fault } from "../base/fault.ts";
import type { FileserverSpec } from "../model/spec.ts";
import type { CommandResult } from "../system/commands.ts";
import { toolPath } from "../system/tools.ts";
import type { Node } from "./context.ts";

/** How long somebody who has the address may take to answer; on a LAN an answer takes a millisecond. */
const PROBE_WINDOW_S = 0.3;
/** Under emulation an answer took up to 60 ms; ten times the window would only hold every move up. */
const PROBE_WINDOW_MAX_S = 1;
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
    args: [windowOf(node), toolPath("arping"), "-D", "-I", fileserver.interface, "-c", "1", "-w", "1", address],
    timeoutMs: PROBE_TIMEOUT_MS,
  });
  if (result.status === 0 || result.status === 124) return undefined;
  const [mac] = answerers(result.stdout);
  if (mac !== undefined) return mac;
  throw notFoundOut(address, result);
}

/** All who answer, each once: the fileserver may be one of them, and not the first. Rejects as `probeAddress` does. */
async function probeForAll(node: Node, fileserver: FileserverSpec, address: string): Promise<readonly string[]> {
  // With -D arping would end at the first answer; interrupted, it prints what it has heard, with any status.
  const result = await node.commands.run({
    tool: "timeout",
    args: [
      "--preserve-status",
      "--signal=INT",
      windowOf(node),
      toolPath("arping"),
      "-b",
      "-s",
      "0.0.0.0",
      "-I",
      fileserver.interface,
      "-c",
      "5",
      address,
    ],
    timeoutMs: PROBE_TIMEOUT_MS,
  });
  if (!/^Sent \d+ probes/m.test(result.stdout)) throw notFoundOut(address, result);
  return [...new Set(answerers(result.stdout))];
}

function windowOf({ timeScale }: Node): string {
  return String(Math.min(PROBE_WINDOW_S * timeScale, PROBE_WINDOW_MAX_S));
}

/** "Unicast reply from 10.77.0.50 [02:B6:10:50:33:69]  13.572ms" */
function answerers(printed: string): readonly string[] {
  return [...printed.matchAll(/\[([0-9A-Fa-f:]{17})\]/g)].map(([, mac = ""]) => mac.toLowerCase());
}

function notFoundOut(address: string, { stdout, stderr }: CommandResult): Fault {
  return new Fault({
    kind: "refused",
    code: "address-probe-failed",
    what: `whether somebody has ${address} could not be found out: ${stderr.trim() || stdout.trim()}`,
    why: "two machines with one address: clients would talk to either",
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
 * Duplicate detection for IPv6 needs a solicitation that arping cannot send; the IPv4 answer speaks for both. Behind a
 * director the address that clients know is the director's, who answers for it at any time: there the back addresses
 * are asked for, which nobody has before the takeover.
 */
export function addressesToProbe(node: Node, fileserver: FileserverSpec): readonly string[] {
  const own = fileserver.addresses.flatMap(({ family, address }) => (family === 4 ? [address] : []));
  const side = node.directors?.side(fileserver.name);
  if (side === undefined) return own;
  return side.addresses
    .filter(({ on }) => on === "link")
    .map(({ address }) => address.split("/")[0] ?? "")
    .filter((address) => !address.includes(":") && !own.includes(address));
}

/**
 * Before a move the fileserver itself answers from the other node, with the hardware address that moves along; anybody
 * else is refused. True when that settles it for the takeover too: an ipvlan shares its parent's hardware address, so
 * there an answer says nothing yet.
 */
export async function probeBeforeMove(node: Node, fileserver: FileserverSpec): Promise<boolean> {
  if (fileserver.link === "ipvlan") return false;
  for (const address of addressesToProbe(node, fileserver)) {
    const others = (await probeForAll(node, fileserver, address)).filter((mac) => mac !== fileserver.mac);
    refuseTaken(fileserver, address, others[0]);
  }
  return true;
}
