/**
 * What a stock cluster did, as a timeline: which of its resources were stopped and started, by Pacemaker's own words in
 * the nodes' journals. Pure.
 */
import type { Timeline, TimelineStep } from "../wire/timeline.ts";

export interface Action {
  readonly node: string;
  readonly task: "start" | "stop";
  readonly resource: string;
  /** Milliseconds since 1970-01-01 UTC by the node's clock. */
  readonly startMs: number;
  readonly endMs: number;
  readonly ok: boolean;
}

/** pacemaker-controld's words (daemons/controld/controld_execd.c: controld_execute_resource_agent, log_executor_event). */
const REQUESTED = /Requesting local execution of (start|stop) operation for (\S+) on (\S+)/;
const RESULT = /Result of (start|stop) operation for (\S+) on ([^\s:]+): (.*)$/;

/**
 * Reads `journalctl -o short-unix`: seconds with a fraction stand first. A group works one resource after the other, so
 * where the request was not logged an action began when the one before it ended.
 */
export function parseActions(printed: string, node: string): readonly Action[] {
  const requested = new Map<string, number>();
  const actions: Action[] = [];
  for (const line of printed.split("\n")) {
    const atMs = Number(/^\d+\.\d+/.exec(line)?.[0]) * 1000;
    if (!Number.isFinite(atMs)) continue;
    const asked = REQUESTED.exec(line);
    if (asked !== null && asked[3] === node) requested.set(`${asked[1]} ${asked[2]}`, atMs);
    const done = RESULT.exec(line);
    if (done === null || done[3] !== node) continue;
    const [, task, resource = "", , result = ""] = done;
    if (task !== "start" && task !== "stop") continue;
    const startMs = requested.get(`${task} ${resource}`) ?? actions.at(-1)?.endMs ?? atMs;
    requested.delete(`${task} ${resource}`);
    actions.push({ node, task, resource, startMs, endMs: atMs, ok: /^(?:0 \()?ok\b/.test(result) });
  }
  return actions;
}

/** How far each node's clock is ahead of the one that the timeline is told by. */
export type Offsets = ReadonlyMap<string, number>;

/** Stops on one node, then starts on the other, on the clock of the node that served. */
export function moveTimeline(
  fileserver: string,
  to: string,
  startedAtMs: number,
  actions: readonly Action[],
  offsetsMs: Offsets,
): Timeline {
  const own = actions.filter(({ node, startMs }) => startMs - (offsetsMs.get(node) ?? 0) >= startedAtMs);
  return timelineOf("move", fileserver, to, startedAtMs, stepsOf(own, startedAtMs, offsetsMs));
}

/** The newest start of the whole group on a node, beginning with its first resource; undefined where there was none. */
export function lastTakeover(
  fileserver: string,
  node: string,
  groupFirst: readonly string[],
  actions: readonly Action[],
): Timeline | undefined {
  const starts = actions.filter(({ task }) => task === "start");
  const begin = starts.findLastIndex(
    ({ resource }, at) =>
      resource === groupFirst.find((name) => starts.some((one) => one.resource === name)) && at >= 0,
  );
  const first = starts[begin];
  if (first === undefined) return undefined;
  const group = starts.slice(begin);
  return timelineOf("takeover", fileserver, node, first.startMs, stepsOf(group, first.startMs, new Map()));
}

function stepsOf(actions: readonly Action[], zeroMs: number, offsetsMs: Offsets): readonly TimelineStep[] {
  const steps = actions.map(({ node, task, resource, startMs, endMs, ok }): TimelineStep => {
    const aheadMs = (offsetsMs.get(node) ?? 0) + zeroMs;
    const outcome = ok ? "done" : "failed";
    return {
      step: `${task} ${resource}`,
      node,
      startMs: Math.round(startMs - aheadMs),
      endMs: Math.round(endMs - aheadMs),
      outcome,
    };
  });
  return steps.toSorted((a, b) => a.startMs - b.startMs || a.endMs - b.endMs);
}

function timelineOf(
  kind: "move" | "takeover",
  fileserver: string,
  node: string,
  startedAtMs: number,
  steps: readonly TimelineStep[],
): Timeline {
  // That an agent failed is not yet that the cluster did: it may have been tried again.
  return { id: `${node}-${Math.round(startedAtMs)}`, kind, fileserver, node, startedAtMs, outcome: "done", steps };
}
