/**
 * A volume group that one machine owns at a time, by system ID: lvmsystemid(7). The system ID is a label, not a lock:
 * it is changed only under the persistent reservation of the group's disks.
 */
import { Fault } from "../base/fault.ts";
import { commandFailed, runChecked, type Command, type Commands } from "../system/commands.ts";

const TIMEOUT_MS = 8_000;

export interface LogicalVolume {
  readonly name: string;
  /** Segment types, e.g. "linear"; one entry per segment. */
  readonly segmentTypes: readonly string[];
}

export interface VolumeGroup {
  readonly name: string;
  /** Empty where the group has none. */
  readonly systemId: string;
  readonly logicalVolumes: readonly LogicalVolume[];
  /** Paths of its physical volumes, in LVM's order. */
  readonly disks: readonly string[];
}

/**
 * Everything about all groups by one program: to start one costs more than what it reads.
 *
 * `--foreign`: groups of other machines are shown too. `--nohints`: LVM remembers which disks are its own (/run/lvm/hints)
 * and learns of changes by its own commands only; a group that another machine has made is not there for it.
 */
export const REPORT: Command = {
  tool: "lvm",
  args: [
    "fullreport",
    "--foreign",
    "--nohints",
    "--reportformat",
    "json",
    ...Object.entries({
      vg: "vg_name,vg_systemid",
      pv: "pv_name",
      lv: "lv_name",
      pvseg: "pv_name",
      seg: "lv_name,segtype",
    }).flatMap(([part, fields]) => ["--configreport", part, "-o", fields]),
  ],
  timeoutMs: TIMEOUT_MS,
};

/** A group that still carries another machine's system ID is accepted for one command (lvmsystemid(7), "Overriding"). */
const accepting = (systemId: string): readonly string[] => ["--config", `local/extra_system_ids=["${systemId}"]`];

/** Activation in a group of another machine is refused whatever is accepted, so for one command this machine goes by that name. */
const speakingAs = (systemId: string): readonly string[] => [
  "--config",
  `global/system_id_source="lvmlocal" local/system_id="${systemId}"`,
];

/**
 * Writes the new owner into the group's metadata while its volume is active here. LVM refuses that as long as it sees
 * active volumes, so it is told not to look (lvm(8), --driverloaded n): that nobody else has the volume active is
 * known from the reservation, which LVM knows nothing of.
 */
export const claim = (group: VolumeGroup, systemId: string): Command => ({
  tool: "vgchange",
  args: [
    "--driverloaded",
    "n",
    "--yes",
    ...onlyDisks(group.disks),
    ...accepting(group.systemId),
    "--systemid",
    systemId,
    group.name,
  ],
  timeoutMs: TIMEOUT_MS,
});

/** Without waiting for udev: the kernel's own device node (/dev/dm-N) is there when the command ends. */
export const activate = (group: VolumeGroup, lv: string, systemId: string): Command => ({
  tool: "lvchange",
  args: [
    ...onlyDisks(group.disks),
    ...(group.systemId === systemId ? [] : speakingAs(group.systemId)),
    "--noudevsync",
    "--activate",
    "y",
    `${group.name}/${lv}`,
  ],
  timeoutMs: TIMEOUT_MS,
});
export const deactivate = (vg: string, lv: string, disks: readonly string[]): Command => ({
  tool: "lvchange",
  args: [...onlyDisks(disks), "--noudevsync", "--activate", "n", `${vg}/${lv}`],
  timeoutMs: TIMEOUT_MS,
});

/** Only these disks are scanned: the others may be many, or slow, or gone. */
function onlyDisks(disks: readonly string[]): readonly string[] {
  return disks.length === 0 ? [] : ["--devices", disks.join(",")];
}

type Row = Readonly<Record<string, string>>;

interface Report {
  readonly report: readonly {
    readonly vg?: readonly Row[];
    readonly pv?: readonly Row[];
    readonly seg?: readonly Row[];
  }[];
}

/** Undefined where there is no such group. */
export function parseVolumeGroup(vg: string, reportJson: string): VolumeGroup | undefined {
  const parts = (JSON.parse(reportJson) as Report).report.filter((part) => part.vg?.[0]?.["vg_name"] === vg);
  const [first] = parts;
  if (first === undefined) return undefined;
  if (parts.length > 1) throw severalGroups(vg, parts.length);
  const segments = first.seg ?? [];
  return {
    name: vg,
    systemId: first.vg?.[0]?.["vg_systemid"] ?? "",
    logicalVolumes: [...Map.groupBy(segments, (row) => row["lv_name"] ?? "")].map(([name, rows]) => ({
      name,
      segmentTypes: rows.map((row) => row["segtype"] ?? ""),
    })),
    disks: (first.pv ?? []).map((row) => row["pv_name"] ?? ""),
  };
}

function severalGroups(vg: string, groups: number): Fault {
  return new Fault({
    kind: "refused",
    code: "volume-group-ambiguous",
    what: `${groups} volume groups are called ${vg} on this node`,
    why: "nothing says which of them is meant",
    remedy: "rename the others by their UUID: vgs -o vg_name,vg_uuid; vgrename UUID NEW-NAME",
  });
}

/** Rejects where LVM cannot say, or where the group is not visible here. */
export async function readVolumeGroup(commands: Commands, vg: string): Promise<VolumeGroup> {
  const group = parseVolumeGroup(vg, (await runChecked(commands, REPORT)).stdout);
  if (group === undefined) {
    throw new Fault({
      kind: "refused",
      code: "volume-group-missing",
      what: `volume group ${vg} is not visible on this node`,
      why: "its disks are not attached here, or LVM's devices file leaves them out",
      remedy: `attach the disks and look with: pvs --foreign; lvmdevices`,
    });
  }
  const missing = group.disks.filter((disk) => disk === "" || disk.startsWith("["));
  if (missing.length > 0)
    throw new Fault({
      kind: "refused",
      code: "volume-group-incomplete",
      what: `volume group ${vg} lacks disks: ${missing.join(", ")}`,
      why: "a volume of it may lie on the disk that is not there",
      remedy: "attach all its disks to this node and look with: pvs --foreign",
    });
  return group;
}

export function hasVolume(group: VolumeGroup, lv: string): boolean {
  return group.logicalVolumes.some(({ name }) => name === lv);
}

/** The name that device mapper gives a logical volume: hyphens of the parts are doubled (dm_build_dm_name, libdm). */
export function mapperName(vg: string, lv: string): string {
  return `${vg.replaceAll("-", "--")}-${lv.replaceAll("-", "--")}`;
}

/** Activates a volume whose disks this machine has reserved. The group's label may still be the other machine's: see `claim`. */
export async function activateVolume(
  commands: Commands,
  group: VolumeGroup,
  lv: string,
  systemId: string,
): Promise<void> {
  if (!hasVolume(group, lv)) {
    throw new Fault({
      code: "logical-volume-missing",
      what: `volume group ${group.name} has no logical volume ${lv}`,
      remedy: `it has: ${group.logicalVolumes.map(({ name }) => name).join(", ") || "none"}`,
    });
  }
  await runChecked(commands, activate(group, lv, systemId));
}

/** What a volume is made of when it is one device-mapper device and nothing below it. */
const PLAIN_SEGMENTS: readonly string[] = ["linear", "striped"];

/**
 * A plain volume is taken down at device mapper itself, which costs a fifth of what LVM's own command does and is all
 * that it would do; anything with volumes below it (thin, cache, raid) is left to LVM.
 */
export function deactivation(group: VolumeGroup, lv: string): Command {
  if (!isPlain(group) || !hasVolume(group, lv)) return deactivate(group.name, lv, group.disks);
  return { tool: "dmsetup", args: ["remove", "--noudevsync", mapperName(group.name, lv)], timeoutMs: TIMEOUT_MS };
}

/** Nothing in the group has volumes below it. */
export function isPlain(group: VolumeGroup): boolean {
  return group.logicalVolumes.every(({ segmentTypes }) => segmentTypes.every((type) => PLAIN_SEGMENTS.includes(type)));
}

const DEACTIVATE_ATTEMPTS_MAX = 10;

/** udev may still have the device open for a moment after an unmount; asked again a few times. */
export async function deactivateVolume(commands: Commands, group: VolumeGroup, lv: string): Promise<void> {
  const command = deactivation(group, lv);
  let result = await commands.run(command);
  for (let attempt = 1; attempt < DEACTIVATE_ATTEMPTS_MAX && result.status !== 0; attempt++)
    result = await commands.run(command);
  if (result.status !== 0) throw commandFailed(command, result);
}
