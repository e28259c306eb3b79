/**
 * File systems: what a mount keeps in memory, what reaches the platters, and in which order. A write that the storage
 * takes from a mount that is not the newest one is the end of the file system: that is looked for at every write.
 */
import { mayWrite, type Lun } from "./storage.ts";
import { violate, type Disk, type Mount, type SimNode, type Volume, type World } from "./world.ts";

export function newVolume(index: number, name: string, lun: Lun, clients: number): Volume {
  const disk: Disk = {
    versions: Array.from({ length: clients }, () => 0),
    monitored: new Set(),
    retired: new Set(),
    ledger: undefined,
    cldRecovery: undefined,
    cldCurrent: new Set(),
  };
  return { index, name, lun, disk, session: 0 };
}

/** Undefined where the storage refuses the write with which every mount begins. */
export function mount(world: World, node: SimNode, volume: Volume): Mount | undefined {
  if (!mayWrite(volume.lun, node.index)) return undefined;
  // A storage that has just forgotten everybody lets everybody write: the watch is told of it in a moment.
  const { keys, holder } = volume.lun;
  if (keys.size > 0 && (!keys.has(node.index) || holder === undefined))
    violate(world, "mount-needs-registration", `${node.name} mounts ${volume.name} without a registration that counts`);
  for (const other of world.nodes) {
    const theirs = other.site.mounts[volume.index];
    if (other === node || theirs === undefined || theirs.shutDown || !other.on) continue;
    if (mayWrite(volume.lun, other.index))
      violate(world, "one-mount", `${node.name} mounts ${volume.name}, which ${other.name} has mounted and may write`);
  }
  volume.session += 1;
  return { volume, session: volume.session, view: copyOf(volume.disk), journal: [], shutDown: false };
}

function copyOf(disk: Disk): Disk {
  return {
    versions: [...disk.versions],
    monitored: new Set(disk.monitored),
    retired: new Set(disk.retired),
    ledger: disk.ledger,
    cldRecovery: disk.cldRecovery,
    cldCurrent: new Set(disk.cldCurrent),
  };
}

/** One write arrives at the LUN. False where it is refused; the file system shuts down then. */
export function arrive(world: World, node: SimNode, on: Mount, apply: (disk: Disk) => void): boolean {
  const { volume } = on;
  if (on.shutDown) return false;
  if (!mayWrite(volume.lun, node.index)) {
    on.shutDown = true;
    world.trace?.(world.events.nowMs, node.name, `${volume.name}: write refused, the file system shuts down`);
    return false;
  }
  if (on.session !== volume.session)
    violate(world, "one-writer", `${node.name} writes ${volume.name} from a mount that another one has followed`);
  apply(volume.disk);
  return true;
}

/** Changes a name or a small file in memory; the log has it when it is next written. */
export function change(on: Mount, apply: (disk: Disk) => void): void {
  apply(on.view);
  on.journal.push(apply);
}

/** The log is written: everything that was changed so far is durable. */
export function sync(world: World, node: SimNode, on: Mount): boolean {
  return arrive(world, node, on, (disk) => {
    for (const apply of on.journal.splice(0)) apply(disk);
  });
}

/** The node has lost its memory. Of what was not synced the log may have had the beginning. */
export function loseMemory(world: World, node: SimNode, on: Mount): void {
  const written = world.random.below(on.journal.length + 1);
  if (written === 0 || on.session !== on.volume.session || !mayWrite(on.volume.lun, node.index) || on.shutDown) return;
  if (node.cuts.storage !== "none") return;
  for (const apply of on.journal.slice(0, written)) apply(on.volume.disk);
}
