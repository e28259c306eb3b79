/**
 * Carries a plan out. It makes no choices: what is in the plan is done in its order, and the first failure ends it.
 *
 * Actions on different nodes that stand next to each other go on at the same time; one that concerns the cluster as a
 * whole, or a fileserver, waits for all before it and holds back all behind it.
 */
import { explain, toFault, type Fault } from "../base/fault.ts";
import { actionDeed } from "../plan/render.ts";
import type { Action, Plan } from "../plan/plan.ts";
import type { Clock } from "../system/clock.ts";

export type ActionRunner = (action: Action) => Promise<void>;

export interface Outcome {
  readonly action: Action;
  readonly outcome: "done" | "failed" | "not-begun";
  readonly durationMs: number;
}

export interface ExecuteParts {
  readonly run: ActionRunner;
  readonly clock: Clock;
  readonly progress: (line: string) => void;
}

/**
 * Kinds that are done on one node and concern no other. Agents that run already start again one after the other: a
 * cluster in which all of them are away at once can fence nobody.
 */
const OF_ONE_NODE: ReadonlySet<Action["kind"]> = new Set<Action["kind"]>([
  "install-agent",
  "start-agent",
  "write-spec",
  "retire-node",
  "mask-units",
  "install-packages",
  "set-system-id",
  "put-program",
  "write-file",
  "put-secrets",
  "write-director-files",
  "start-cluster",
]);

/** Actions that may go on at the same time, each list in its order. */
export function batchesOf(actions: readonly Action[]): readonly (readonly (readonly Action[])[])[] {
  const batches: Action[][] = [];
  let open: Action[] | undefined;
  for (const action of actions) {
    if (!OF_ONE_NODE.has(action.kind)) {
      batches.push([action]);
      open = undefined;
      continue;
    }
    if (open === undefined || startsAnew(open, action)) {
      open = [];
      batches.push(open);
    }
    open.push(action);
  }
  return batches.map((batch) => [...Map.groupBy(batch, (action) => action.node).values()]);
}

/** The cluster is started when every node has an agent that answers: Pacemaker asks it at once. */
function startsAnew(open: readonly Action[], action: Action): boolean {
  const starts = (kind: Action["kind"]): boolean => kind === "start-cluster";
  return starts(action.kind) !== starts(open.at(-1)?.kind ?? action.kind);
}

export interface Execution {
  readonly outcomes: readonly Outcome[];
  /** What ended it. */
  readonly failure: Fault | undefined;
}

export async function execute(plan: Plan, parts: ExecuteParts): Promise<Execution> {
  const outcomes = new Map<Action, Outcome>();
  const total = plan.actions.length;
  const number = new Map(plan.actions.map((action, index) => [action, index + 1]));
  const failures: Fault[] = [];
  const runOne = async (action: Action): Promise<void> => {
    const startedMs = parts.clock.monotonicMs();
    const label = `${action.node}  ${number.get(action) ?? 0}/${total} ${actionDeed(action)}`;
    parts.progress(`${label} …`);
    try {
      await parts.run(action);
      const durationMs = parts.clock.monotonicMs() - startedMs;
      outcomes.set(action, { action, outcome: "done", durationMs });
      parts.progress(`${label}: done, ${(durationMs / 1000).toFixed(1)} s`);
    } catch (error) {
      const durationMs = parts.clock.monotonicMs() - startedMs;
      outcomes.set(action, { action, outcome: "failed", durationMs });
      parts.progress(`${label}: FAILED, ${(durationMs / 1000).toFixed(1)} s: ${explain(error)[0] ?? ""}`);
      failures.push(toFault(error));
    }
  };
  const runLane = async (lane: readonly Action[]): Promise<void> => {
    for (const action of lane) {
      // A failure on another node ends this one's work too, after the action under way.
      if (failures.length > 0) return;
      await runOne(action);
    }
  };
  for (const batch of batchesOf(plan.actions)) {
    if (failures.length > 0) break;
    await Promise.all(batch.map(runLane));
  }
  return {
    outcomes: plan.actions.map((action) => outcomes.get(action) ?? { action, outcome: "not-begun", durationMs: 0 }),
    failure: failures[0],
  };
}
