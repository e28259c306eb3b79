/**
 * The link that carries a fileserver's addresses, opened, held and taken down by writes to sysfs (net/core/net-sysfs.c):
 * no program, no thread, nothing that could wait for a disk. Under load one start of ip(8) took longer than all else that
 * a release does while clients wait.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { access, readFile, writeFile } from "node:fs/promises";
import { HOLD_GROUP, OPEN_GROUP } from "../linux/hold-filter.ts";
import { HUSH_EVERYONE_GROUP, isHushGroup } from "../linux/hush-filter.ts";
import { messageOf } from "../base/fault.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { toolPath } from "../system/tools.ts";
import { runInside, type HolderClient } from "./holder-client.ts";
import { HUSH_READY, insidePath, LINK_FOLDER } from "./places.ts";

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
  endHush(insidePid);
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
 * Tells the network where the address is now, with requests held: first by a hush for every other node, which a node that
 * was fenced hears, then by the kernel's own announcement, which switches and clients learn from.
 *
 * Rejects where the link cannot be raised. A hush that could not be sent is only told, because clients wait.
 */
export async function announceLink(insidePid: number, say: (line: string) => void): Promise<void> {
  try {
    if (!(await hushLink(insidePid, HUSH_EVERYONE_GROUP))) say("no hush was sent: the link is up already");
  } catch (error) {
    say(`no hush was sent: ${messageOf(error)}`);
  }
  endHush(insidePid);
  holdLink(insidePid);
  raiseLink(insidePid);
}

/**
 * Up, in whatever group it is: the kernel announces the addresses (arp_notify, ndisc_notify), and the network learns where
 * they are now. Nothing happens where it is up.
 */
function raiseLink(insidePid: number): void {
  const flags = file(insidePid, "flags");
  writeFileSync(flags, `0x${(readFlags(flags) | IFF_UP).toString(16)}`);
}

/** The files of a link, as a test has them too. */
export interface LinkFiles {
  read(name: string): Promise<string>;
  write(name: string, text: string): Promise<void>;
  /** Rejects where the filter is missing that makes a hush of an announcement. */
  filtered(): Promise<void>;
}

/**
 * One hush: the link comes up in the group and goes down again. False where it is up already: this node serves, or is
 * about to. Without the event loop waiting: the kernel's lock that this takes (rtnl) may be held by others.
 *
 * Rejects where no hush can be sent. However it ends, and also where the agent dies within it, the link serves nobody:
 * in a hush's group the filter lets nothing else out and nothing in.
 *
 * @param group who is meant (linux/hush-filter.ts).
 */
export async function hushLink(insidePid: number, group: number, link = linkFiles(insidePid)): Promise<boolean> {
  const flags = Number.parseInt(await link.read("flags"), 16);
  const up = (flags & IFF_UP) !== 0;
  if (up && !isHushGroup(Number(await link.read("netdev_group")))) return false;
  await link.filtered();
  const down = `0x${(flags & ~IFF_UP).toString(16)}`;
  // One that an agent has left up: only a link that comes up sends anything.
  if (up) await link.write("flags", down);
  await link.write("netdev_group", String(group));
  try {
    await link.write("flags", `0x${(flags | IFF_UP).toString(16)}`);
  } finally {
    await link.write("flags", down);
  }
  await link.write("netdev_group", String(OPEN_GROUP));
  return true;
}

function linkFiles(insidePid: number): LinkFiles {
  return {
    read: (name) => readFile(file(insidePid, name), "utf8"),
    write: (name, text) => writeFile(file(insidePid, name), text),
    filtered: () => access(insidePath(insidePid, HUSH_READY)),
  };
}

/** A link that an agent left up in the midst of a hush would not announce itself: it goes down. */
function endHush(insidePid: number): void {
  if (isHushGroup(Number(readFileSync(file(insidePid, "netdev_group"), "utf8")))) takeLinkDown(insidePid);
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

/** Up, and in the group that lets requests in. Throws where the namespace or the link is gone. */
export function isLinkOpen(insidePid: number, fileOf = (name: string): string => file(insidePid, name)): boolean {
  const up = (readFlags(fileOf("flags")) & IFF_UP) !== 0;
  return up && Number(readFileSync(fileOf("netdev_group"), "utf8")) !== HOLD_GROUP;
}

function readFlags(path: string): number {
  return Number.parseInt(readFileSync(path, "utf8"), 16);
}

function file(insidePid: number, name: string): string {
  return insidePath(insidePid, `${LINK_FOLDER}/${name}`);
}
