/** Executes a step graph: everything that is ready runs in parallel, and when each step began and ended is the timeline. */
import { AssertionError } from "../base/assert.ts";
import { Fault, messageOf, toFault } from "../base/fault.ts";
import { readySteps, type Step, type StepArgs, type StepGraph, type StepKind } from "../failover/step.ts";
import type { TimelineStep } from "../wire/timeline.ts";
import type { Node, StepContext } from "./context.ts";

/** What a step did, for people; undefined is "done". `already` means that there was nothing to do. */
export interface StepReport {
  readonly outcome?: "done" | "already";
  readonly detail?: string;
}

export type StepRunner<A> = (args: A, context: StepContext, boundMs: number) => Promise<StepReport | undefined | void>;
export type StepRunners = { readonly [K in StepKind]: StepRunner<StepArgs[K]> };

export interface RunResult {
  readonly steps: readonly TimelineStep[];
  readonly durationMs: number;
  /** The first failure; the others only follow from it. */
  readonly fault?: Fault;
}

export interface RunHooks {
  /** Called as each step begins, before it touches anything. */
  readonly begin: (step: Step) => Promise<void>;
}

/** Rejects only with an AssertionError: a bug is no failure of a step, and nothing is done after it. */
export async function runGraph(
  graph: StepGraph,
  runners: StepRunners,
  context: StepContext,
  hooks: RunHooks,
): Promise<RunResult> {
  const { clock } = context.node;
  const startMs = clock.monotonicMs();
  const begun = new Set<string>();
  const ended = new Set<string>();
  const timeline: TimelineStep[] = [];
  let fault: Fault | undefined;

  const runStep = async (step: Step): Promise<void> => {
    const beginMs = clock.monotonicMs() - startMs;
    const record = (outcome: TimelineStep["outcome"], detail?: string): void => {
      const endMs = clock.monotonicMs() - startMs;
      timeline.push({
        step: step.id,
        node: context.node.name,
        startMs: round(beginMs),
        endMs: round(endMs),
        outcome,
        ...(detail === undefined ? {} : { detail }),
      });
    };
    try {
      await hooks.begin(step);
      const report = await bounded(step, context.node, runOne(step, runners, context));
      record(report?.outcome ?? "done", report?.detail);
      ended.add(step.id);
    } catch (error) {
      if (error instanceof AssertionError) throw error;
      record("failed", messageOf(error));
      fault ??= inStep(step, context.node, error);
    }
  };

  const running = new Set<Promise<void>>();
  for (;;) {
    const ready = fault === undefined ? readySteps(graph, begun, ended) : [];
    for (const step of ready) {
      begun.add(step.id);
      const promise: Promise<void> = runStep(step).finally(() => running.delete(promise));
      running.add(promise);
    }
    if (running.size === 0) break;
    await Promise.race(running);
  }
  for (const step of graph) {
    if (!begun.has(step.id))
      timeline.push({ step: step.id, node: context.node.name, startMs: 0, endMs: 0, outcome: "skipped" });
  }
  return {
    steps: timeline,
    durationMs: round(clock.monotonicMs() - startMs),
    ...(fault === undefined ? {} : { fault }),
  };
}

function runOne<K extends StepKind>(
  step: Step & { kind: K },
  runners: StepRunners,
  context: StepContext,
): Promise<StepReport | undefined | void> {
  const runner = runners[step.kind] as StepRunner<StepArgs[K]>;
  return runner(step.args as StepArgs[K], context, step.boundMs * context.node.timeScale);
}

/** The step itself is expected to end within its bound; this is the wall behind it, for what cannot be interrupted. */
async function bounded<T>(step: Step, node: Node, work: Promise<T>): Promise<T> {
  const limitMs = step.boundMs * node.timeScale;
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Fault({ code: "step-timed-out", what: `did not end within ${limitMs} ms` })),
      limitMs,
    );
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
    work.catch(() => undefined);
  }
}

/** The step's own fault with the step's name before it; its causes stay as they are. */
function inStep(step: Step, node: Node, error: unknown): Fault {
  const fault = toFault(error);
  return new Fault({
    kind: fault.kind,
    code: fault.code,
    what: `${step.id} on ${node.name}: ${fault.message}`,
    ...(fault.why === undefined ? {} : { why: fault.why }),
    ...(fault.remedy === undefined ? {} : { remedy: fault.remedy }),
    cause: fault.cause,
  });
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
