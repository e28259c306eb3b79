/** Looks at the disks behind a fileserver's volumes, before a run: nothing of it is on the client's clock. */
import { realpath } from "node:fs/promises";
import { Fault } from "../base/fault.ts";
import { hasVolume, mapperName, readVolumeGroup } from "../lvm/volume-group.ts";
import type { FileserverSpec, VolumeSpec } from "../model/spec.ts";
import type { Node, VolumeFacts } from "./context.ts";
import { exists, mapperDevice, mountsInside, readOptional } from "./inside.ts";

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

/** A fault that names where the node itself has the volume mounted, outside every fileserver; undefined where it has not. */
export async function usedOutside(node: Node, { name, device }: VolumeSpec): Promise<Fault | undefined> {
  const path =
    device.kind === "lv" ? await mapperDevice(mapperName(device.vg, device.lv)) : await realpath(device.path);
  const numbers = await readOptional(`/sys/class/block/${path?.split("/").at(-1) ?? ""}/dev`);
  const mounts = (await mountsInside(process.pid)).filter(
    (mount) => `${mount.device.major}:${mount.device.minor}` === numbers?.trim(),
  );
  if (mounts.length === 0) return undefined;
  const paths = mounts.map((mount) => mount.path).join(", ");
  return new Fault({
    kind: "refused",
    code: "volume-in-use",
    what: `volume ${name} is mounted at ${paths} on ${node.name}, outside of Holdfast`,
    why: "whoever mounted it may be writing; two writers destroy the file system",
    remedy: `unmount it there: umount ${paths}`,
  });
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
