/**
 * The link that carries a fileserver's addresses, opened, held and taken down by writes to sysfs (net/core/net-sysfs.c):
 * no program, no thread, nothing that could wait for a disk. Under load one start of ip(8) took longer than all else that
 * a release does while clients wait.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { HOLD_GROUP, OPEN_GROUP } from "../linux/hold-filter.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { toolPath } from "../system/tools.ts";
import { runInside, type HolderClient } from "./holder-client.ts";
import { insidePath, LINK_FOLDER } from "./places.ts";

const IFF_UP = 1;

/** Into the group in which the filter holds requests (linux/hold-filter.ts). Throws where the link is gone. */
export function holdLink(insidePid: number): void {
  writeFileSync(file(insidePid, "netdev_group"), String(HOLD_GROUP));
}

/**
 * Up, and in the group that lets requests in; routes went with the link when it was last down.
 *
 * @param networks IPv6 networks that no address on the link brings along (balance/server-side.ts).
 */
export async function openLink(
  fileserver: FileserverSpec,
  holder: HolderClient,
  insidePid: number,
  boundMs: number,
  networks: readonly string[] = [],
): Promise<void> {
  writeFileSync(file(insidePid, "netdev_group"), String(OPEN_GROUP));
  raiseLink(insidePid);
  const ip = toolPath("ip");
  const routes = [
    ...networks.map((network) => [ip, "-6", "route", "replace", network, "dev", "eth0"]),
    ...fileserver.gateways.map((gateway) => [ip, "route", "replace", "default", "via", gateway, "dev", "eth0"]),
  ];
  if (routes.length > 0) await runInside(holder, routes, boundMs);
}

/**
 * Up, in whatever group it is: the kernel announces the addresses (arp_notify, ndisc_notify), and the network learns where
 * they are now. Nothing happens where it is up.
 */
export function raiseLink(insidePid: number): void {
  const flags = file(insidePid, "flags");
  writeFileSync(flags, `0x${(readFlags(flags) | IFF_UP).toString(16)}`);
}

/**
 * Takes the link down. True where it was up. Throws where the namespace or the link is gone.
 *
 * @param flagsFile of a test; else the link's own, through a process inside.
 */
export function takeLinkDown(insidePid: number, flagsFile = file(insidePid, "flags")): boolean {
  const flags = readFlags(flagsFile);
  if ((flags & IFF_UP) === 0) return false;
  writeFileSync(flagsFile, `0x${(flags & ~IFF_UP).toString(16)}`);
  return true;
}

function readFlags(path: string): number {
  return Number.parseInt(readFileSync(path, "utf8"), 16);
}

function file(insidePid: number, name: string): string {
  return insidePath(insidePid, `${LINK_FOLDER}/${name}`);
}
