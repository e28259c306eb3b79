/** Slow and failing disks, by changing QEMU's block graph under a running machine. */
import { Fault } from "../base/fault.ts";
import type { DiskOperation } from "./fault-words.ts";
import type { LabPaths } from "./paths.ts";
import { LUNS } from "./plan.ts";
import { qmpSocket } from "./qemu.ts";
import { withQmp, type Qmp } from "./qmp.ts";

/** The machine whose QEMU has the disk, and the prefix of its node names (qemu.ts). */
export interface DiskPlace {
  readonly machine: string;
  readonly node: string;
}

/** @param disk a LUN's name, or a machine's name for its system disk. */
export function diskPlace(disk: string): DiskPlace {
  return LUNS.includes(disk) ? { machine: "st", node: disk } : { machine: disk, node: "system" };
}

export async function slowDisk(
  paths: LabPaths,
  place: DiskPlace,
  limits: { readonly iops?: number; readonly bytesPerSecond?: number },
): Promise<void> {
  await withQmp(qmpSocket(paths, place.machine), (qmp) => setLimits(qmp, place, limits));
}

/** A limit of 0 is none (QEMU: qapi/block-core.json, ThrottleLimits). */
async function setLimits(
  qmp: Qmp,
  place: DiskPlace,
  limits: { readonly iops?: number; readonly bytesPerSecond?: number },
): Promise<void> {
  await qmp.execute("qom-set", {
    path: `/objects/${place.node}-limit`,
    property: "limits",
    value: { "iops-total": limits.iops ?? 0, "bps-total": limits.bytesPerSecond ?? 0 },
  });
}

/** blkdebug's names of the I/O types (QEMU: qapi/block-core.json, BlkdebugIOType). */
export async function failDisk(paths: LabPaths, place: DiskPlace, operations: readonly DiskOperation[]): Promise<void> {
  await withQmp(qmpSocket(paths, place.machine), async (qmp) => {
    if (await isFailing(qmp, place)) await repair(qmp, place);
    await qmp.execute("blockdev-add", {
      driver: "blkdebug",
      "node-name": `${place.node}-broken`,
      image: `${place.node}-disk`,
      "inject-error": operations.map((iotype) => ({ event: "none", iotype, errno: 5 })),
    });
    await putUnderThrottle(qmp, place, `${place.node}-broken`);
  });
}

/** Takes limits and errors away. */
export async function healDisk(paths: LabPaths, place: DiskPlace): Promise<void> {
  await withQmp(qmpSocket(paths, place.machine), async (qmp) => {
    await setLimits(qmp, place, {});
    if (await isFailing(qmp, place)) await repair(qmp, place);
  });
}

async function repair(qmp: Qmp, place: DiskPlace): Promise<void> {
  await putUnderThrottle(qmp, place, `${place.node}-disk`);
  await qmp.execute("blockdev-del", { "node-name": `${place.node}-broken` });
}

async function putUnderThrottle(qmp: Qmp, place: DiskPlace, below: string): Promise<void> {
  await qmp.execute("blockdev-reopen", {
    options: [
      { driver: "throttle", "node-name": `${place.node}-top`, "throttle-group": `${place.node}-limit`, file: below },
    ],
  });
}

async function isFailing(qmp: Qmp, place: DiskPlace): Promise<boolean> {
  const nodes = (await qmp.execute("query-named-block-nodes", { flat: true })) as readonly {
    readonly "node-name": string;
  }[];
  return nodes.some((node) => node["node-name"] === `${place.node}-broken`);
}

export interface DiskFaultState {
  readonly disk: string;
  readonly failing: boolean;
  readonly iops: number;
  readonly bytesPerSecond: number;
}

/** The faults in force on one disk; undefined when there are none. */
export async function diskFaults(paths: LabPaths, disk: string): Promise<DiskFaultState | undefined> {
  const place = diskPlace(disk);
  return withQmp(qmpSocket(paths, place.machine), async (qmp) => {
    const limits = (await qmp.execute("qom-get", {
      path: `/objects/${place.node}-limit`,
      property: "limits",
    })) as Record<string, number>;
    const state = {
      disk,
      failing: await isFailing(qmp, place),
      iops: limits["iops-total"] ?? 0,
      bytesPerSecond: limits["bps-total"] ?? 0,
    };
    return state.failing || state.iops > 0 || state.bytesPerSecond > 0 ? state : undefined;
  }).catch((error: unknown) => {
    // A machine that is off has no disk faults.
    if (error instanceof Fault && error.code === "qmp-unreachable") return undefined;
    throw error;
  });
}
