/**
 * Volumes that do not exist yet.
 *
 * INVARIANTS
 * - What carries a signature is never formatted without a consent that names it.
 * - A consent has no force over what is in use, nor over what is already as the spec says: the same command given twice
 *   must not destroy what the first one made.
 * - A volume is made only where every node that was looked at sees its disks.
 */
import { deviceName } from "../model/device.ts";
import type { FileserverSpec, VolumeSpec } from "../model/spec.ts";
import type { DeviceObservation, SystemObservation } from "../model/system-observed.ts";
import type { Design } from "./design.ts";
import type { Note, VolumeAction } from "./plan.ts";
import { systemOf } from "./system.ts";
import type { World } from "./world.ts";

export interface VolumePlan {
  readonly actions: readonly VolumeAction[];
  readonly blocked: readonly Note[];
  readonly notes: readonly Note[];
}

interface Seer {
  readonly name: string;
  readonly system: SystemObservation;
}

export function planVolumes(world: World, design: Design): VolumePlan {
  const seers = world.nodes.flatMap((node): readonly Seer[] => {
    const system = systemOf(world, node);
    return system === undefined ? [] : [{ name: node.node, system }];
  });
  const plans = world.desired.fileservers.flatMap((fileserver) =>
    fileserver.volumes.map((volume) => planVolume(seers, design, fileserver, volume)),
  );
  return {
    actions: plans.flatMap((plan) => plan.actions),
    blocked: plans.flatMap((plan) => plan.blocked),
    notes: plans.flatMap((plan) => plan.notes),
  };
}

const NOTHING: VolumePlan = { actions: [], blocked: [], notes: [] };

function blocked(note: Note): VolumePlan {
  return { ...NOTHING, blocked: [note] };
}

function planVolume(
  seers: readonly Seer[],
  design: Design,
  fileserver: FileserverSpec,
  volume: VolumeSpec,
): VolumePlan {
  if (seers.length === 0) return NOTHING;
  const about = `${fileserver.name}/${volume.name}`;
  const { device } = volume;
  if (device.kind === "disk") return planDisk(seers, design, fileserver, volume, device.path, about);
  const owner = seers.find(({ system }) => system.volumeGroups.has(device.vg));
  const group = owner?.system.volumeGroups.get(device.vg);
  if (owner === undefined || group === undefined) return planGroup(seers, design, fileserver, volume, about);
  if (group.logicalVolumes.includes(device.lv)) {
    return (
      unformatted(seers, fileserver, volume, deviceName(device)) ?? { ...NOTHING, notes: groupNotes(seers, device.vg) }
    );
  }
  if (volume.disks === undefined) {
    const what = `volume group ${device.vg} has no logical volume ${device.lv}`;
    const remedy = `make it: lvcreate -n ${device.lv} -l 100%FREE ${device.vg} and mkfs.${volume.filesystem}; or write disks: with the disks of the group, and apply makes it`;
    return blocked({ code: "volume-missing", about, what, remedy });
  }
  const at = seers.find(({ system }) => system.systemId === group.systemId) ?? owner;
  return { ...NOTHING, actions: [makeVolume(at.name, fileserver, volume, [], [], `${device.vg} has no ${device.lv}`)] };
}

/** Nothing on it, and a node could look: it was made and never formatted. */
function unformatted(
  seers: readonly Seer[],
  fileserver: FileserverSpec,
  volume: VolumeSpec,
  device: string,
): VolumePlan | undefined {
  const seer = seers.find(({ system }) => system.devices.get(device)?.signature === "");
  if (seer === undefined || seers.some(({ system }) => (system.devices.get(device)?.signature ?? "") !== "")) {
    return undefined;
  }
  const action = makeVolume(seer.name, fileserver, volume, [], [], "there is no file system on it");
  return { ...NOTHING, actions: [action] };
}

function groupNotes(seers: readonly Seer[], vg: string): readonly Note[] {
  if (!seers.some(({ system }) => system.volumeGroups.get(vg)?.autoActivation === true)) return [];
  return [
    {
      code: "auto-activation",
      about: vg,
      what: `volume group ${vg} is activated by itself when a machine starts`,
      remedy: `on the node that owns it: vgchange --setautoactivation n ${vg}`,
    },
  ];
}

function planGroup(
  seers: readonly Seer[],
  design: Design,
  fileserver: FileserverSpec,
  volume: VolumeSpec,
  about: string,
): VolumePlan {
  const { disks = [] } = volume;
  if (disks.length === 0) {
    return blocked({
      code: "volume-missing",
      about,
      what: `no node sees ${deviceName(volume.device)}`,
      remedy: "attach its disks to the nodes, or write disks: with those that apply may make the volume group of",
    });
  }
  const found = readDisks(seers, design, disks, about);
  if (!found.ok) return blocked(found.note);
  return {
    ...NOTHING,
    actions: [makeVolume(found.node, fileserver, volume, disks, found.overwrites, "it does not exist")],
  };
}

function planDisk(
  seers: readonly Seer[],
  design: Design,
  fileserver: FileserverSpec,
  volume: VolumeSpec,
  path: string,
  about: string,
): VolumePlan {
  const signatures = seers.map(({ system }) => system.devices.get(path)?.signature);
  if (signatures.some((signature) => signature === volume.filesystem)) return NOTHING;
  const found = readDisks(seers, design, [path], about);
  if (!found.ok) return blocked(found.note);
  return {
    ...NOTHING,
    actions: [
      makeVolume(found.node, fileserver, volume, [], found.overwrites, `there is no ${volume.filesystem} on it`),
    ],
  };
}

type Disks =
  | { readonly ok: true; readonly node: string; readonly overwrites: readonly string[] }
  | { readonly ok: false; readonly note: Note };

/** Whether something may be written to all of them, and where. */
function readDisks(seers: readonly Seer[], design: Design, disks: readonly string[], about: string): Disks {
  const overwrites: string[] = [];
  for (const disk of disks) {
    const blind = seers.filter(({ system }) => !system.devices.has(disk)).map(({ name }) => name);
    if (blind.length > 0) {
      const what = `${blind.join(" and ")} ${blind.length === 1 ? "does" : "do"} not see ${disk}`;
      return refused({ code: "disk-missing", about, what, remedy: "attach it to every node, under this name" });
    }
    const views = seers.flatMap(({ name, system }) => {
      const view = system.devices.get(disk);
      return view === undefined ? [] : [{ name, view }];
    });
    const user = views.find(({ view }) => view.inUse);
    if (user !== undefined) {
      const what = `${disk} is in use on ${user.name}`;
      return refused({ code: "device-in-use", about, what, remedy: "end what uses it, or name another disk" });
    }
    const carried = views.find(({ view }) => mayCarry(view));
    if (carried === undefined) continue;
    if (!design.consents.includes(disk)) return refused(signed(about, disk, carried.view.signature));
    overwrites.push(disk);
  }
  return { ok: true, node: seers[0]?.name ?? "", overwrites };
}

/** What could not be read may carry anything. */
function mayCarry(view: DeviceObservation): boolean {
  return view.signature !== "";
}

function refused(note: Note): Disks {
  return { ok: false, note };
}

function signed(about: string, disk: string, signature: string | undefined): Note {
  const what =
    signature === undefined
      ? `what is on ${disk} could not be read`
      : `${disk} carries something already: ${signature}`;
  return {
    code: "device-signed",
    about,
    what,
    remedy: `if all of it may be lost, say so: --consent-format ${disk}`,
  };
}

function makeVolume(
  node: string,
  fileserver: FileserverSpec,
  volume: VolumeSpec,
  disks: readonly string[],
  overwrites: readonly string[],
  because: string,
): VolumeAction {
  return {
    kind: "make-volume",
    node,
    fileserver: fileserver.name,
    volume: volume.name,
    device: deviceName(volume.device),
    disks,
    filesystem: volume.filesystem,
    overwrites,
    because,
  };
}
