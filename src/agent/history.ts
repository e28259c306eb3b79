/** Past runs of one fileserver on this node, as timelines. In memory: the journal keeps them for longer. */
import { randomUUID } from "node:crypto";
import { explain, Fault } from "../base/fault.ts";
import type { Timeline } from "../wire/timeline.ts";
import type { Node } from "./context.ts";
import type { RunResult } from "./runner.ts";

const HISTORY_MAX = 200;

export interface History {
  readonly timelines: readonly Timeline[];
  /** @param undone what the run had done was taken back at once */
  remember(kind: Timeline["kind"], startedAtMs: number, result: RunResult, undone?: boolean): Timeline;
}

export function openHistory(node: Node, fileserver: string): History {
  const timelines: Timeline[] = [];
  return {
    timelines,
    remember(kind, startedAtMs, result, undone = false) {
      const timeline: Timeline = {
        id: randomUUID(),
        kind,
        fileserver,
        node: node.name,
        startedAtMs,
        outcome: result.fault === undefined ? "done" : undone ? "undone" : "failed",
        steps: result.steps,
        ...(result.fault === undefined ? {} : { because: explain(result.fault) }),
      };
      timelines.push(timeline);
      if (timelines.length > HISTORY_MAX) timelines.shift();
      node.log(
        `${fileserver}: ${kind} on ${node.name} ${timeline.outcome}, ${Math.round(result.durationMs)} ms${result.fault === undefined ? "" : `: ${result.fault.message}`}`,
      );
      return timeline;
    },
  };
}

/** A fault of a run, with what the run did. */
export class RunFault extends Fault {
  readonly timeline: Timeline;

  constructor(fault: Fault, timeline: Timeline) {
    super({
      kind: fault.kind,
      code: fault.code,
      what: fault.message,
      ...(fault.why === undefined ? {} : { why: fault.why }),
      ...(fault.remedy === undefined ? {} : { remedy: fault.remedy }),
      cause: fault.cause,
    });
    this.timeline = timeline;
  }
}
