/**
 * Who holds, takes and tries to get which locks in the lock drills, as data. Pure.
 *
 * Each client has the export mounted once for each protocol. Both hold locks, write through them, count up together
 * under one lock and write records; the first client is the one that times new opens and new locks, the second one
 * reads the counter that the first one writes.
 */
import type { MountSettings } from "./client.ts";
import { mountSettings, sessionFolder, type ClientPlan, type PlannedLoop } from "./client-plan.ts";
import type { Loss, LoopKind, Protocol } from "./names.ts";
import type { FileserverTarget } from "./placement.ts";
import { counterFile, heldFile } from "./probe/lock-works.ts";
import { probedLockFile } from "./probe/works.ts";
import { fileOn, plannedLoop, stealing, type LoopGround } from "./planned-loop.ts";

export interface LockPlanSettings extends LoopGround {
  /** The first times, the second is its opponent. */
  readonly clients: readonly [string, string];
  readonly protocols: readonly Protocol[];
  readonly target: FileserverTarget;
  /** Of both clients and all protocols together. */
  readonly locks: number;
  /** The second client will die: what it held is anybody's then, so nobody tries, and it counts nothing that others count on. */
  readonly secondDies: boolean;
  readonly inject?: Loss;
}

export const LOCKS = 200;

/** v3 has half of all where there are several: its recovery is the one that can fail silently. */
export function shareOf(protocol: Protocol, protocols: readonly Protocol[], locks: number): number {
  if (!protocols.includes("v3") || protocols.length === 1) return Math.floor(locks / protocols.length);
  return protocol === "v3" ? Math.floor(locks / 2) : Math.floor(locks / 2 / (protocols.length - 1));
}

/** Which loop of the first client causes which loss. */
const CAUSES: Readonly<Record<Loss, LoopKind>> = {
  "lost-write": "write",
  "torn-write": "write",
  "lost-lock": "held",
  "granted-twice": "count",
  "stale-read": "tick",
  "application-error": "open",
};

export function planLocks(settings: LockPlanSettings): readonly ClientPlan[] {
  const [first, second] = settings.clients.map((machine, at) => clientLoops(settings, machine, at));
  if (first === undefined || second === undefined) return [];
  // Files keep their path below the mount, and mounts lie in the same place on every client.
  const opponents = [opposed(settings, first, second), opposed(settings, second, first)];
  return settings.clients.map((machine, at): ClientPlan => {
    const mounts = mountsOf(settings, machine);
    return {
      machine,
      mounts,
      loops: (opponents[at] ?? []).map((loop) => withLoss(settings, loop, at)),
      looks: heldBy(at === 0 ? second : first),
      counter: counterFile(`${sharedFolder(settings, mounts)}/count`),
      leftovers: mounts.slice(0, 1).map((mount) => sessionFolder(mount, settings.id)),
    };
  });
}

function mountsOf(settings: LockPlanSettings, client: string): readonly MountSettings[] {
  return settings.protocols.map((protocol) => mountSettings({ ...settings, client }, protocol, settings.target));
}

function sharedFolder(settings: LockPlanSettings, mounts: readonly MountSettings[]): string {
  const [mount] = mounts;
  return mount === undefined ? "" : sessionFolder(mount, settings.id);
}

/** Of the fileserver that the fault is for, without what depends on the other client's files. */
function clientLoops(settings: LockPlanSettings, machine: string, at: number): readonly PlannedLoop[] {
  const { protocols, target, secondDies } = settings;
  const timing: readonly LoopKind[] = ["read", "open", "lock"];
  const counts = !secondDies || at === 0;
  return protocols.flatMap((protocol, protocolAt) => {
    const held = Math.floor(shareOf(protocol, protocols, settings.locks) / settings.clients.length);
    const kinds: readonly LoopKind[] = [
      "held",
      "write",
      ...(at === 0 ? timing : (["watch"] as const)),
      ...(counts ? (["count"] as const) : []),
      ...(secondDies ? [] : (["steal"] as const)),
      // One writer of the counter that others watch; of several protocols the newest.
      ...(at === 0 && protocolAt === protocols.length - 1 ? (["tick"] as const) : []),
    ];
    return kinds.map((kind) =>
      plannedLoop(settings, { machine, protocol, target, kind, held: kind === "held" ? held : 0 }),
    );
  });
}

/** Gives one client's loops what they need to know of the other's files. */
function opposed(
  settings: LockPlanSettings,
  own: readonly PlannedLoop[],
  others: readonly PlannedLoop[],
): readonly PlannedLoop[] {
  const held = others.filter(({ kind }) => kind === "held");
  return own.map((loop) => {
    // All of them, whatever protocol they are held over, through the mount of this loop's protocol.
    if (loop.kind === "steal")
      return stealing(
        loop,
        held.map((other) => fileOn(settings, settings.target, loop, other)),
      );
    if (loop.kind !== "held") return loop;
    const files = others.flatMap((other) => {
      if (other.protocol !== loop.protocol) return [];
      return other.kind === "lock" ? [probedLockFile(other)] : other.kind === "held" ? [heldFile(other)] : [];
    });
    return { ...loop, keepsOpen: files };
  });
}

function heldBy(loops: readonly PlannedLoop[]): ClientPlan["looks"] {
  return loops
    .filter(({ kind }) => kind === "held")
    .map((loop) => ({ loop: loop.name, file: heldFile(loop), locks: loop.heldLocks }));
}

/** The loss is caused once: by the first client, over the last protocol. */
function withLoss(settings: LockPlanSettings, loop: PlannedLoop, at: number): PlannedLoop {
  const { inject, protocols } = settings;
  if (inject === undefined || at !== 0 || loop.kind !== CAUSES[inject]) return loop;
  return loop.protocol === protocols.at(-1) ? { ...loop, injects: inject } : loop;
}
