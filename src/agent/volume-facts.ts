/** Looks at the disks behind a fileserver's volumes, before a run: nothing of it is on the client's clock. */
import { realpath } from "node:fs/promises";
import { Fault } from "../base/fault.ts";
import { hasVolume, readVolumeGroup } from "../lvm/volume-group.ts";
import type { FileserverSpec, VolumeSpec } from "../model/spec.ts";
import type { Node, VolumeFacts } from "./context.ts";
import { exists } from "./inside.ts";

export async function lookAtVolumes(node: Node, fileserver: FileserverSpec): Promise<Map<string, VolumeFacts>> {
  const facts = new Map<string, VolumeFacts>();
  for (const volume of fileserver.volumes) facts.set(volume.name, await lookAtVolume(node, volume));
  return facts;
}

async function lookAtVolume(node: Node, volume: VolumeSpec): Promise<VolumeFacts> {
  const { device } = volume;
  if (device.kind === "lv") {
    const group = await readVolumeGroup(node.commands, device.vg);
    if (!hasVolume(group, device.lv)) throw deviceMissing(node, volume, `${device.vg}/${device.lv}`);
    return { disks: group.disks, group };
  }
  if (!(await exists(device.path))) throw deviceMissing(node, volume, device.path);
  return { disks: [await realpath(device.path)] };
}

function deviceMissing(node: Node, volume: VolumeSpec, device: string): Fault {
  return new Fault({
    kind: "refused",
    code: "device-missing",
    what: `${device} of volume ${volume.name} is not there on ${node.name}`,
    why: "a node without the device cannot serve the fileserver",
    remedy: "attach the disk to this node, or correct `device` in the spec; look with: lsblk, lvs --foreign",
  });
}
