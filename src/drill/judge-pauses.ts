/** Pauses of a run, for each client and protocol by itself, and what came back how much later than data. Pure. */
import type { Pauses } from "./document.ts";
import type { Measured, MeasuredRun } from "./measure.ts";
import { PROBES, type Probe, type Protocol } from "./names.ts";
import { pauseIn, returnedLaterMs, type Pause } from "./pause.ts";

/** The probes of one client over one protocol: they share a clock and a mount. */
export interface ProbeGroup {
  readonly client: string;
  readonly protocol: Protocol;
  readonly pauseMs: Pauses;
  readonly found: ReadonlyMap<Probe, Pause>;
  /** Probes whose pause could not be told. */
  readonly unknown: readonly Probe[];
}

export function pausesOf(
  { loops, logs }: Measured,
  run: MeasuredRun,
  fileserver: string,
  stretch: "window" | "quiet",
): readonly ProbeGroup[] {
  const groups = new Map<string, MutableGroup>();
  for (const loop of loops.values()) {
    const probe = PROBES.find((one) => one === loop.kind);
    const window = run.windows.get(loop.machine)?.[stretch];
    if (loop.fileserver !== fileserver || probe === undefined || window === undefined) continue;
    const key = `${loop.machine} ${loop.protocol}`;
    const group = groups.get(key) ?? emptyGroup(loop.machine, loop.protocol);
    groups.set(key, group);
    const successes = logs.get(loop.name)?.successes ?? [];
    const pause = pauseIn(successes, window);
    const last = successes.at(-1);
    if (pause !== undefined) {
      group.found.set(probe, pause);
      group.pauseMs[probe] = pause.pauseMs;
    } else {
      group.unknown.push(probe);
      if (last !== undefined) group.pauseMs[probe] = Math.max(0, Math.round((window.endUs - last.endUs) / 1000));
    }
  }
  return [...groups.values()];
}

interface MutableGroup extends ProbeGroup {
  readonly pauseMs: Partial<Record<Probe, number>>;
  readonly found: Map<Probe, Pause>;
  readonly unknown: Probe[];
}

function emptyGroup(client: string, protocol: Protocol): MutableGroup {
  return { client, protocol, pauseMs: {}, found: new Map(), unknown: [] };
}

/** The longest of each probe, over all clients and protocols. */
export function longestOf(groups: readonly ProbeGroup[]): Pauses {
  const longest: Partial<Record<Probe, number>> = {};
  for (const probe of PROBES) {
    const values = groups.flatMap((group) => group.pauseMs[probe] ?? []);
    if (values.length > 0) longest[probe] = Math.max(...values);
  }
  return longest;
}

export type ByProtocol = Readonly<Partial<Record<Protocol, number>>>;

export interface Later {
  readonly newOpenAfterReturnMs?: number;
  readonly newLockAfterReturnMs?: number;
  readonly newOpenAfterReturnMsByProtocol?: ByProtocol;
  readonly newLockAfterReturnMsByProtocol?: ByProtocol;
}

/** "After return": from the first read or write that succeeded again to the first open and the first lock. */
export function laterOf(groups: readonly ProbeGroup[]): Later {
  const [open, lock] = (["open", "lock"] as const).map((probe) => laterByProtocol(groups, probe));
  return {
    ...(open === undefined
      ? {}
      : { newOpenAfterReturnMs: Math.max(...Object.values(open)), newOpenAfterReturnMsByProtocol: open }),
    ...(lock === undefined
      ? {}
      : { newLockAfterReturnMs: Math.max(...Object.values(lock)), newLockAfterReturnMsByProtocol: lock }),
  };
}

function laterByProtocol(groups: readonly ProbeGroup[], probe: Probe): ByProtocol | undefined {
  const later: Partial<Record<Protocol, number>> = {};
  for (const { protocol, found } of groups) {
    const data = (["write", "read"] as const).flatMap((kind) => found.get(kind) ?? []);
    const pause = found.get(probe);
    if (pause === undefined || data.length === 0) continue;
    later[protocol] = Math.max(later[protocol] ?? 0, returnedLaterMs(pause, data));
  }
  return Object.keys(later).length === 0 ? undefined : later;
}
