/** What a step of the simulation is given, and what the steps of one run find out for each other. */
import { defined } from "../base/assert.ts";
import { unknown, type Observed } from "../base/observed.ts";
import type { Inheritance } from "../failover/grace.ts";
import type { Ledger } from "../failover/ledger.ts";
import type { StepKind } from "../failover/step.ts";
import type { Task } from "./events.ts";
import type { Deed, Fault, StepTools } from "./run-graph.ts";
import type { WatchEnd, World } from "./world.ts";

export interface RunContext {
  readonly found: {
    ledger: Observed<Ledger | undefined>;
    inherited?: Inheritance;
    reopened?: Ledger | undefined;
    nobodyToNotify?: boolean;
    lastEntry?: Ledger;
  };
  /** As the agent's: what the watch knew at its end. */
  readonly endWatch: () => Task<WatchEnd>;
}

export type SimDeed = Deed<RunContext>;
export type SimDeeds<K extends StepKind> = { readonly [One in K]: SimDeed };

export function newContext(endWatch: () => Task<WatchEnd>): RunContext {
  return { found: { ledger: unknown("not read yet") }, endWatch };
}

/** A step that only changes what the node has in memory. */
export function quick(durationMs: number, change: (tools: StepTools) => Fault | void): SimDeed {
  return function* quickly(tools) {
    return yield* tools.command(durationMs, (ended) => ended(change(tools) ?? undefined));
  };
}

/** The volume of a volume's step. */
export function volumeOf({ world, step }: StepTools): World["volumes"][number] {
  const name = "volume" in step.args ? step.args.volume.name : undefined;
  return defined(
    world.volumes.find((volume) => volume.name === name),
    `${step.id} has no volume`,
  );
}
