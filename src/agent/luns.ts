/** The LUNs under all fileservers, by names that are the same on every node. */
import { messageOf } from "../base/fault.ts";
import { byName } from "../failover/fence.ts";
import type { FileserverSpec } from "../model/spec.ts";
import type { Node } from "./context.ts";
import { readOptional } from "./inside.ts";
import { lookAtVolumes } from "./volume-facts.ts";

export interface Lun {
  /** What the LUN calls itself, e.g. "naa.6001405…". */
  readonly name: string;
  /** A path to it on this node. */
  readonly disk: string;
  readonly fileservers: readonly string[];
}

export interface FoundLuns {
  /** In the order in which fences take them. */
  readonly luns: readonly Lun[];
  /** Why some could not be found; while there is one, the order of all is not known. */
  readonly missing: readonly string[];
}

export type IdentifyDisk = (disk: string) => Promise<string | undefined>;

/**
 * What the device says of itself in its identification page (SPC-4, 7.8.5), as the kernel keeps it (wwid, or the
 * uuid of a multipath map); undefined where it says nothing.
 */
export const identifyDisk: IdentifyDisk = async (disk) => {
  const folder = `/sys/class/block/${disk.split("/").at(-1) ?? ""}`;
  for (const file of ["device/wwid", "dm/uuid"]) {
    const text = (await readOptional(`${folder}/${file}`))?.trim();
    if (text !== undefined && text !== "") return text.replaceAll(/\s+/g, "_");
  }
  return undefined;
};

export async function findLuns(
  node: Node,
  fileservers: readonly FileserverSpec[],
  identify: IdentifyDisk = identifyDisk,
): Promise<FoundLuns> {
  const found = new Map<string, Lun>();
  const missing: string[] = [];
  for (const fileserver of fileservers) {
    try {
      const facts = await lookAtVolumes(node, fileserver);
      for (const disk of new Set([...facts.values()].flatMap(({ disks }) => disks))) {
        const name = await identify(disk);
        if (name === undefined) missing.push(`${disk} of ${fileserver.name} has no identification`);
        else found.set(name, joined(found.get(name), name, disk, fileserver.name));
      }
    } catch (error) {
      missing.push(`the disks of ${fileserver.name}: ${messageOf(error)}`);
    }
  }
  return { luns: [...found.values()].sort((a, b) => byName(a.name, b.name)), missing };
}

function joined(before: Lun | undefined, name: string, disk: string, fileserver: string): Lun {
  return { name, disk: before?.disk ?? disk, fileservers: [...(before?.fileservers ?? []), fileserver] };
}
