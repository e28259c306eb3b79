/** What each client does in a drill, as data: its mounts, its loops, and what it looks at in the end. Pure. */
import type { MountSettings } from "./client.ts";
import { heldLocks, type Family, type LoopKind, type Protocol } from "./names.ts";
import type { FileserverTarget } from "./placement.ts";
import type { HeldFile, LoopConfig } from "./probe/config.ts";
import type { Random } from "./random.ts";
import { DRILL_FOLDER } from "./tree.ts";

/** A loop as the probe is told of it, with what the judgement has to know. */
export interface PlannedLoop extends LoopConfig {
  readonly machine: string;
  readonly fileserver: string;
  readonly protocol: Protocol;
  /** Successes without which the drill does not begin, and those after the fault without which it is not over. */
  readonly steadySuccesses: number;
  readonly settleSuccesses: number;
}

export interface ClientPlan {
  readonly machine: string;
  readonly mounts: readonly MountSettings[];
  readonly loops: readonly PlannedLoop[];
  /** Held files of other mounts, for this client's look at the end. */
  readonly looks: readonly (HeldFile & { readonly loop: string })[];
  /** The counter that all count loops share. */
  readonly counter?: string;
  /** What the drill left, to be taken away at the end. */
  readonly leftovers: readonly string[];
}

export interface Watched {
  readonly target: FileserverTarget;
  readonly loops: readonly LoopKind[];
}

export interface PlanSettings {
  readonly client: string;
  readonly protocol: Protocol;
  readonly family: Family;
  /** Where on the client the mounts lie. */
  readonly mountRoot?: string;
  readonly random: Random;
  /** Pause between two rounds of one probe. */
  readonly intervalMs: number;
}

const MOUNT_ROOT = "/mnt/holdfast";
const TREE_INTERVAL_MS = 100;
export const STEADY_SUCCESSES = 20;
const SETTLE_SUCCESSES = 10;

export function loopName(fileserver: string, kind: LoopKind): string {
  return `${fileserver}-${kind}`;
}

export function mountSettings(
  settings: Pick<PlanSettings, "client" | "family" | "mountRoot">,
  protocol: Protocol,
  { name, host, exportPath }: FileserverTarget,
): MountSettings {
  const { client, family, mountRoot } = settings;
  const directory = `${mountRoot ?? MOUNT_ROOT}/${name}-${protocol}`;
  return { client, host, exportPath, protocol, family, directory };
}

/** Below the drill's folder on a mount: what one session made there. */
export function sessionFolder({ directory }: MountSettings, id: string): string {
  return `${directory}/${DRILL_FOLDER}/${id}`;
}

/** One client, one protocol, each loop in a folder of its own. */
export function planWatched(settings: PlanSettings, watched: readonly Watched[], id: string): ClientPlan {
  const { client, protocol } = settings;
  const mounts = watched.map(({ target }) => mountSettings(settings, protocol, target));
  const loops = watched.flatMap(({ target, loops: kinds }) =>
    kinds.map((kind, at): PlannedLoop => {
      const mount = mountSettings(settings, protocol, target);
      const isTree = kind === "tree";
      return {
        name: loopName(target.name, kind),
        kind,
        directory: isTree ? `${mount.directory}/${DRILL_FOLDER}` : `${sessionFolder(mount, id)}/${kind}`,
        intervalMs: isTree ? TREE_INTERVAL_MS : settings.intervalMs,
        heldLocks: heldLocks(protocol),
        client: at + 1 + Math.floor(settings.random() * 1_000_000),
        machine: client,
        fileserver: target.name,
        protocol,
        steadySuccesses: isTree ? 1 : STEADY_SUCCESSES,
        settleSuccesses: isTree ? 1 : SETTLE_SUCCESSES,
      };
    }),
  );
  return { machine: client, mounts, loops, looks: [], leftovers: mounts.map((mount) => sessionFolder(mount, id)) };
}
