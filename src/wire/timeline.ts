/** What a run of steps left behind: the product of the runner, never of log parsing. */

export interface TimelineStep {
  /** The step's name in the step graph, e.g. "mount-volume:data". */
  readonly step: string;
  readonly node: string;
  /** Milliseconds since the start of the run; monotonic. */
  readonly startMs: number;
  readonly endMs: number;
  readonly outcome: "done" | "already" | "failed" | "skipped";
  readonly detail?: string;
}

export interface Timeline {
  readonly id: string;
  readonly kind: "takeover" | "release" | "move";
  readonly fileserver: string;
  /** The node that ran it; for a move the node that serves afterwards. */
  readonly node: string;
  /** Wall time of the node's clock, milliseconds since 1970-01-01 UTC. */
  readonly startedAtMs: number;
  readonly outcome: "done" | "failed" | "undone";
  readonly steps: readonly TimelineStep[];
  /** Why it did not end in "done": the chain of causes, outermost first. */
  readonly because?: readonly string[];
}
