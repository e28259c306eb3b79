/**
 * Runs a step graph in virtual time by the rules of agent/runner.ts: whatever is ready begins, after the first failure
 * nothing more does, and a run has ended when everything that began has. Without promises, which would cost more than
 * everything else together.
 */
import { readySteps, type Step, type StepGraph } from "../failover/step.ts";
import { after, newSignal, raise, resume, spawn, type Task } from "./events.ts";
import type { SimAgent, SimNode, World } from "./world.ts";

/** Undefined where it ended well. */
export type Fault = string | undefined;

export interface StepTools {
  readonly world: World;
  readonly node: SimNode;
  readonly agent: SimAgent;
  readonly step: Step;
  /**
   * A command of the fileserver's holder: it outlives the agent, and the bound of its step. `work` is called when the
   * time has come and calls back when it has ended.
   */
  readonly command: (durationMs: number, work: (ended: (fault?: string) => void) => void) => Task<Fault>;
}

export type Deed<Context> = (tools: StepTools, context: Context) => Task<Fault>;

export function* runGraph<Context>(
  run: { readonly world: World; readonly node: SimNode; readonly agent: SimAgent; readonly graph: StepGraph },
  deedOf: (step: Step) => Deed<Context>,
  context: Context,
): Task<Fault> {
  const { world, node, agent, graph } = run;
  const begun = new Set<string>();
  const ended = new Set<string>();
  const oneEnded = newSignal();
  let running = 0;
  let fault: Fault;
  for (;;) {
    for (const step of fault === undefined ? readySteps(graph, begun, ended) : []) {
      begun.add(step.id);
      if (world.conditions.ambush?.step === step.kind) yield* ambush(world, node);
      running += 1;
      beginStep({ world, node, agent, step }, deedOf(step), context, (failed) => {
        running -= 1;
        if (failed === undefined) ended.add(step.id);
        else fault ??= `${step.id}: ${failed}`;
        raise(oneEnded);
      });
    }
    if (running > 0) yield oneEnded;
    // What ended at once has made others ready.
    else if (fault !== undefined || readySteps(graph, begun, ended).length === 0) return fault;
  }
}

/** Goes on where its agent still lives, and when its node runs. */
function* ambush(world: World, node: SimNode): Task {
  const strike = world.conditions.ambush;
  world.conditions.ambush = undefined;
  strike?.strike(node);
  yield 0;
}

function beginStep<Context>(
  parts: Omit<StepTools, "command">,
  deed: Deed<Context>,
  context: Context,
  done: (fault: Fault) => void,
): void {
  const { world, node, agent, step } = parts;
  const { events } = world;
  let over = false;
  let commands = 0;
  const end = (fault: Fault): void => {
    if (over) return;
    over = true;
    world.trace?.(events.nowMs, node.name, `${step.id}${fault === undefined ? "" : ` FAILED: ${fault}`}`);
    done(fault);
  };
  const tools: StepTools = {
    ...parts,
    command: function* command(durationMs, work) {
      const ended = newSignal();
      let said: Fault;
      node.commands += 1;
      commands += 1;
      const { owner } = node;
      after(events, owner, lasts(world, durationMs), () =>
        work((fault) => {
          if (commands > 0) {
            node.commands -= 1;
            commands -= 1;
          }
          said = fault;
          resume(owner, () => raise(ended));
        }),
      );
      yield ended;
      return said;
    },
  };
  spawn(events, agent.owner, deed(tools, context), end);
  after(events, agent.owner, step.boundMs, () => {
    if (!over && !world.logic.ways.waitsForOverdueCommands) {
      node.commands -= commands;
      commands = 0;
    }
    end("did not end within its bound");
  });
}

/** Steps vary, and now and then one hiccups; where a schedule is slow, one in ten may run over its bound. */
export function lasts(world: World, durationMs: number): number {
  const { random, conditions } = world;
  const usualMs = durationMs * (0.5 + random.fraction());
  const draw = random.fraction();
  if (conditions.slow && draw < 0.1) return Math.ceil(usualMs * random.between(5, 500));
  return Math.ceil(draw > 0.97 ? usualMs * random.between(3, 20) : usualMs);
}
