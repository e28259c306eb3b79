/** The link that carries a fileserver's addresses: opened by its holder, taken down at once by a write to sysfs. */
import { readFileSync, writeFileSync } from "node:fs";
import { OPEN_GROUP } from "../linux/hold-filter.ts";
import type { HolderCommand } from "../linux/holder.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { toolPath } from "../system/tools.ts";
import { insidePath, LINK_FLAGS } from "./places.ts";

/** Link up and in the group that lets requests in; routes went with the link when it was last down. */
export function openLinkCommands(fileserver: FileserverSpec): readonly HolderCommand[] {
  const ip = toolPath("ip");
  return [
    [ip, "link", "set", "eth0", "group", String(OPEN_GROUP), "up"],
    ...fileserver.gateways.map((gateway): HolderCommand => [
      ip,
      "route",
      "replace",
      "default",
      "via",
      gateway,
      "dev",
      "eth0",
    ]),
  ];
}

const IFF_UP = 1;

/**
 * Takes the link down by its flags in sysfs (flags_store, net/core/net-sysfs.c): no program, no thread, nothing that
 * could wait for a disk. True where it was up. Throws where the namespace or the link is gone.
 *
 * @param flagsFile of a test; else the link's own, through a process inside.
 */
export function takeLinkDown(insidePid: number, flagsFile = insidePath(insidePid, LINK_FLAGS)): boolean {
  const flags = Number.parseInt(readFileSync(flagsFile, "utf8"), 16);
  if ((flags & IFF_UP) === 0) return false;
  writeFileSync(flagsFile, `0x${(flags & ~IFF_UP).toString(16)}`);
  return true;
}
