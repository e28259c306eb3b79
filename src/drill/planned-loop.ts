/** Loops of the lock drills: how often, how many, in which folder. Pure. */
import { mountSettings, sessionFolder, type PlannedLoop } from "./client-plan.ts";
import type { Family, LoopKind, Protocol } from "./names.ts";
import type { FileserverTarget } from "./placement.ts";
import type { HeldFile } from "./probe/config.ts";
import { heldFile, STEALS_PER_ROUND } from "./probe/lock-works.ts";
import type { Random } from "./random.ts";

/** What all loops of a drill have in common. */
export interface LoopGround {
  readonly family: Family;
  readonly mountRoot?: string;
  readonly random: Random;
  /** 1 in an emulated lab: all intervals are as written here; less is faster. */
  readonly pace: number;
  /** Names this session's folder. */
  readonly id: string;
}

/**
 * Between two rounds, milliseconds: some 150 requests a second from both clients. With three times as many an emulated
 * server is busy all the time, and what is measured then is the emulation: reclaims come after the end of the grace.
 */
const INTERVALS_MS: Readonly<Record<Exclude<LoopKind, "tree">, number>> = {
  read: 250,
  open: 600,
  lock: 300,
  write: 2000,
  held: 1000,
  steal: 1000,
  count: 1000,
  tick: 800,
  watch: 1000,
};

/**
 * All of one fsync. Meant for over 50,000 in twenty moves: two loops with half as many had 975 and 749 between two moves
 * in emulation (v4.2 alone), so six should have some 4,500. Reckoned, not measured.
 */
const RECORDS_PER_ROUND = 64;
/** Ten would take longer than the move for the slow loops; two are a round that began after the fault. */
const SETTLE_SUCCESSES: Readonly<Partial<Record<LoopKind, number>>> = { read: 10, open: 4, lock: 8 };
const SETTLE_SUCCESSES_OTHERS = 2;
/** Of each: enough to know its normal interval (pause.ts). */
const STEADY_SUCCESSES = 6;

export interface LoopPlace {
  readonly machine: string;
  readonly protocol: Protocol;
  readonly target: FileserverTarget;
  readonly kind: LoopKind;
  readonly held: number;
}

export function plannedLoop(settings: LoopGround, { machine, protocol, target, kind, held }: LoopPlace): PlannedLoop {
  const mount = mountSettings({ ...settings, client: machine }, protocol, target);
  const folder = sessionFolder(mount, settings.id);
  const isShared = kind === "count" || kind === "tick" || kind === "watch";
  return {
    name: `${target.name}-${machine}-${protocol}-${kind}`,
    kind,
    // Writer and watchers of one file have one folder.
    directory: isShared
      ? `${folder}/${kind === "count" ? "count" : "tick"}`
      : `${folder}/${machine}-${protocol}-${kind}`,
    intervalMs: Math.max(1, Math.round(intervalOf(kind) * settings.pace)),
    client: 1 + Math.floor(settings.random() * 1_000_000),
    heldLocks: held,
    ...(kind === "write" ? { recordsPerRound: RECORDS_PER_ROUND } : {}),
    ...(kind === "steal" ? { waitsForGo: true } : {}),
    machine,
    fileserver: target.name,
    protocol,
    steadySuccesses: STEADY_SUCCESSES,
    settleSuccesses: SETTLE_SUCCESSES[kind] ?? SETTLE_SUCCESSES_OTHERS,
  };
}

function intervalOf(kind: LoopKind): number {
  return kind === "tree" ? 0 : INTERVALS_MS[kind];
}

/** So many of the victims' locks are tried again before a run is over; the look at the end tries every one. */
const STEALS_PER_RUN = 40;

/** A steal loop, which goes round all of its victims' locks. */
export function stealing(loop: PlannedLoop, victims: readonly HeldFile[]): PlannedLoop {
  const locks = victims.reduce((sum, { locks: count }) => sum + count, 0);
  const rounds = Math.ceil(Math.min(locks, STEALS_PER_RUN) / STEALS_PER_ROUND);
  return { ...loop, victims, settleSuccesses: Math.max(SETTLE_SUCCESSES_OTHERS, rounds) };
}

/** A file held over another mount of the same fileserver, as it is called on the mount of `loop`. */
export function fileOn(
  ground: LoopGround,
  target: FileserverTarget,
  loop: Pick<PlannedLoop, "machine" | "protocol">,
  held: PlannedLoop,
): HeldFile {
  const [from, to] = [held.protocol, loop.protocol].map(
    (protocol) => mountSettings({ ...ground, client: loop.machine }, protocol, target).directory,
  );
  return { file: `${to}${heldFile(held).slice(from?.length ?? 0)}`, locks: held.heldLocks };
}
