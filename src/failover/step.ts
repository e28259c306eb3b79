/**
 * Steps are data. One map of arguments says what every kind of step needs; the graphs (`takeover.ts`, `release.ts`,
 * `warm.ts`) choose the steps and their order, the agent's runners do them. A kind without a runner does not compile.
 */
import { assert } from "../base/assert.ts";
import type { FileserverSpec, VolumeSpec } from "../model/spec.ts";

export interface StepArgs {
  /* Warm standby: needs no volume. */
  "create-namespaces": FileserverArgs;
  "create-link": FileserverArgs;
  "install-filter": FileserverArgs;
  "furnish-namespaces": FileserverArgs;
  "start-rpcbind": FileserverArgs;
  "start-mountd": FileserverArgs;
  "start-statd": FileserverArgs;
  /* Takeover. */
  "probe-address": FileserverArgs;
  "reserve-luns": VolumeArgs;
  "announce-address": FileserverArgs;
  "activate-volume": VolumeArgs;
  "claim-volume-group": VolumeArgs;
  "mount-volume": VolumeArgs;
  "prepare-state": FileserverArgs;
  "reopen-ledger": FileserverArgs;
  "start-nfsdcld": FileserverArgs;
  "start-nfsd": FileserverArgs;
  "end-lockd-grace": FileserverArgs;
  "open-address": FileserverArgs;
  "tell-directors": FileserverArgs;
  "tickle-connections": FileserverArgs;
  "notify-clients": FileserverArgs;
  /* Release. */
  "sync-volumes": FileserverArgs;
  "hand-over-volume-group": HandOverArgs;
  "hold-requests": FileserverArgs;
  "silence-address": FileserverArgs;
  "forget-idle-clients": FileserverArgs;
  "record-clients": FileserverArgs;
  "close-ledger": FileserverArgs;
  "kill-statd": FileserverArgs;
  "stop-nfsd": FileserverArgs;
  "stop-daemons": FileserverArgs;
  "unmount-volume": VolumeArgs;
  "deactivate-volume": VolumeArgs;
  "release-luns": VolumeArgs;
  "remove-namespaces": FileserverArgs;
}

export interface FileserverArgs {
  readonly fileserver: FileserverSpec;
}

/** Which node takes over: its LVM system ID. */
export interface HandOverArgs extends VolumeArgs {
  readonly successorSystemId: string;
}

export interface VolumeArgs {
  readonly fileserver: FileserverSpec;
  readonly volume: VolumeSpec;
}

export type StepKind = keyof StepArgs;

export interface StepOf<K extends StepKind> {
  /** Unique in its graph: the kind, and ":volume" where there is one per volume. */
  readonly id: string;
  readonly kind: K;
  readonly args: StepArgs[K];
  /** Steps that must have ended well before this one begins. */
  readonly after: readonly string[];
  /** On a real machine; the runner multiplies it by the time scale. Past it the run has failed. */
  readonly boundMs: number;
}

export type Step = { readonly [K in StepKind]: StepOf<K> }[StepKind];

/** In an order in which they could run one after the other; `checkGraph` makes sure. */
export type StepGraph = readonly Step[];

/**
 * How long each step may take on a real machine. Generous against what it does take (see docs/results.md),
 * short against what an operator would wait before pulling the plug.
 */
export const STEP_BOUNDS_MS: Readonly<Record<StepKind, number>> = {
  "create-namespaces": 10_000,
  "create-link": 5_000,
  "install-filter": 5_000,
  "furnish-namespaces": 5_000,
  "start-rpcbind": 5_000,
  "start-mountd": 5_000,
  "start-statd": 5_000,
  "probe-address": 3_000,
  "reserve-luns": 5_000,
  "announce-address": 2_000,
  "activate-volume": 10_000,
  "claim-volume-group": 10_000,
  // Log replay after a crash: bounded by the size of the log, seconds on slow disks.
  "mount-volume": 60_000,
  "prepare-state": 5_000,
  "reopen-ledger": 5_000,
  "start-nfsdcld": 5_000,
  "start-nfsd": 10_000,
  "end-lockd-grace": 2_000,
  "open-address": 2_000,
  // A notice that is under way and one more, each with its own bound of 150 ms.
  "tell-directors": 1_000,
  "tickle-connections": 5_000,
  "notify-clients": 5_000,
  // Dirty pages of a busy server, written before clients are made to wait.
  "sync-volumes": 60_000,
  "hand-over-volume-group": 10_000,
  // Begins with the end of the watch, which may be at a disk.
  "hold-requests": 5_000,
  "silence-address": 2_000,
  "forget-idle-clients": 5_000,
  "record-clients": 2_000,
  "close-ledger": 5_000,
  "kill-statd": 2_000,
  // A thread stuck on dead storage keeps `svc_stop_kthreads` waiting for ever (net/sunrpc/svc.c).
  "stop-nfsd": 10_000,
  "stop-daemons": 5_000,
  "unmount-volume": 20_000,
  "deactivate-volume": 10_000,
  "release-luns": 5_000,
  "remove-namespaces": 10_000,
};

/** One step for the whole fileserver. */
export function fileserverStep(
  kind: FileserverStepKind,
  fileserver: FileserverSpec,
  after: readonly string[] = [],
): Step {
  // TypeScript compares with unions of up to 25 members only.
  return { id: kind, kind, args: { fileserver }, after, boundMs: STEP_BOUNDS_MS[kind] } as Step;
}

/** The same step once per volume. */
export function volumeStep(
  kind: VolumeStepKind,
  fileserver: FileserverSpec,
  volume: VolumeSpec,
  after: readonly string[] = [],
): Step {
  return {
    id: volumeStepId(kind, volume),
    kind,
    args: { fileserver, volume },
    after,
    boundMs: STEP_BOUNDS_MS[kind],
  };
}

export type FileserverStepKind = { [K in StepKind]: StepArgs[K] extends VolumeArgs ? never : K }[StepKind];
export type VolumeStepKind = Exclude<StepKind, FileserverStepKind | "hand-over-volume-group">;

export function volumeStepId(kind: Exclude<StepKind, FileserverStepKind>, volume: VolumeSpec): string {
  return `${kind}:${volume.name}`;
}

/** Every step once, every dependency known and earlier: such a graph has no cycle and always ends. */
export function checkGraph(graph: StepGraph): StepGraph {
  const seen = new Set<string>();
  for (const step of graph) {
    assert(!seen.has(step.id), `step ${step.id} stands twice in its graph`);
    for (const id of step.after)
      assert(seen.has(id), `step ${step.id} waits for ${id}, which does not stand before it`);
    seen.add(step.id);
  }
  return graph;
}

/** Steps whose dependencies have all ended well and that have not begun. */
export function readySteps(graph: StepGraph, begun: ReadonlySet<string>, ended: ReadonlySet<string>): readonly Step[] {
  return graph.filter((step) => !begun.has(step.id) && step.after.every((id) => ended.has(id)));
}

/** The volumes that share a volume group with this one, itself among them; empty for a plain disk. */
export function volumesOfGroup(fileserver: FileserverSpec, { device }: VolumeSpec): readonly VolumeSpec[] {
  if (device.kind !== "lv") return [];
  return fileserver.volumes.filter((other) => other.device.kind === "lv" && other.device.vg === device.vg);
}
