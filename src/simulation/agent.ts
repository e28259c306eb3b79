/**
 * The agent of a node, as agent/fileserver.ts is: what is asked of the fileserver goes through the machine's table, one
 * run at a time, and what is there is looked at and not remembered.
 */
import { isEmpty } from "../failover/judge.ts";
import type { FileserverState } from "../failover/machine.ts";
import type { StepGraph } from "../failover/step.ts";
import { newContext, type RunContext } from "./deed.ts";
import { deedOf } from "./deeds.ts";
import { after, newOwner, spawn, type Task } from "./events.ts";
import { runGraph, type Fault } from "./run-graph.ts";
import { look, sightingOf } from "./sighting.ts";
import { watchStanding } from "./standing.ts";
import { violate, type SimAgent, type SimNode, type World } from "./world.ts";
import { endWatch, nothingWatched, startWatch, watchRunning } from "./watch.ts";

/** systemd starts it a second after it has died, and Node needs some time. */
const RESTART_MS = 1_000;
const START_MS = 500;
const COMMANDS_BOUND_MS = 10_000;
const COMMANDS_INTERVAL_MS = 20;
const WARM_AFTER_RELEASE_DELAY_MS = 5_000;

export type Answer = "done" | "failed" | "busy" | "refused";

export function startAgent(world: World, node: SimNode): void {
  const agent: SimAgent = {
    owner: newOwner(node.owner),
    running: undefined,
    watch: undefined,
    watchEnd: nothingWatched(world),
    successor: undefined,
    standing: undefined,
    seen: new Map(),
  };
  after(world.events, agent.owner, START_MS, () => {
    if (!world.logic.ways.remembersRegistration) node.registered.clear();
    node.agent = agent;
    world.trace?.(world.events.nowMs, node.name, "the agent runs");
    spawn(world.events, agent.owner, begin(world, node, agent));
  });
}

/** As kill -9 does; what it had started goes on. */
export function killAgent(world: World, node: SimNode): void {
  if (node.agent === undefined || !node.on) return;
  world.trace?.(world.events.nowMs, node.name, "the agent dies");
  node.agent.owner.living = false;
  agentDied(world, node);
}

function agentDied(world: World, node: SimNode): void {
  node.agent = undefined;
  after(world.events, node.owner, RESTART_MS, () => startAgent(world, node));
}

function* begin(world: World, node: SimNode, agent: SimAgent): Task {
  watchStanding(world, node, agent);
  yield* warm(world, node, agent);
}

/** Runs go through a holder; what an agent before this one sent to it is waited for. */
export function* connect(node: SimNode): Task<Fault> {
  for (let waitedMs = 0; node.commands > 0; waitedMs += COMMANDS_INTERVAL_MS) {
    if (waitedMs >= COMMANDS_BOUND_MS) return "a command that was sent before has not ended";
    yield COMMANDS_INTERVAL_MS;
  }
  node.site.holder = true;
  return undefined;
}

function* run(world: World, node: SimNode, agent: SimAgent, graph: StepGraph, context: RunContext): Task<Fault> {
  return yield* runGraph({ world, node, agent, graph }, deedOf, context);
}

function contextOf(world: World, agent: SimAgent): RunContext {
  return newContext(() => endWatch(world, agent));
}

function* runWarm(world: World, node: SimNode, agent: SimAgent): Task<Fault> {
  const unconnected = yield* connect(node);
  if (unconnected !== undefined) return unconnected;
  const fault = yield* run(world, node, agent, world.graphs.warm, contextOf(world, agent));
  if (fault !== undefined) yield* runCold(world, node, agent);
  return fault;
}

function* runCold(world: World, node: SimNode, agent: SimAgent): Task<Fault> {
  return yield* run(world, node, agent, world.graphs.cold, contextOf(world, agent));
}

export function* exclusively(agent: SimAgent, as: FileserverState, work: Task<Answer>): Task<Answer> {
  if (agent.running !== undefined) return "busy";
  agent.running = as;
  const answer = yield* work;
  agent.running = undefined;
  return answer;
}

/** What an agent that has just started does: the standby where nothing is here, the watch where it serves. */
function* warm(world: World, node: SimNode, agent: SimAgent): Task {
  const { state } = look(world, node);
  if (state === "serving") {
    yield* exclusively(agent, "warming", watchAgain(world, node, agent));
    return;
  }
  if (!world.logic.isEmpty(sightingOf(node))) return;
  yield* exclusively(agent, "warming", makeWarm(world, node, agent, state));
}

function* watchAgain(world: World, node: SimNode, agent: SimAgent): Task<Answer> {
  if ((yield* connect(node)) !== undefined) return "failed";
  watchRunning(world, node, agent);
  return "done";
}

function* makeWarm(world: World, node: SimNode, agent: SimAgent, state: FileserverState): Task<Answer> {
  if (state === "partial" && (yield* runCold(world, node, agent)) !== undefined) return "failed";
  if (state !== "warm" && (yield* runWarm(world, node, agent)) !== undefined) return "failed";
  return "done";
}

export function* takeover(world: World, node: SimNode, agent: SimAgent): Task<Answer> {
  if (agent.running !== undefined) return "busy";
  const { effect } = world.logic.step(look(world, node).state, "takeover-asked");
  if (effect === "answer-done") return yield* exclusively(agent, "taking-over", watchAgain(world, node, agent));
  if (effect === "refuse-busy") return "busy";
  return yield* exclusively(agent, "taking-over", takeOver(world, node, agent, effect));
}

function* takeOver(world: World, node: SimNode, agent: SimAgent, effect: string): Task<Answer> {
  if (effect === "run-release-first") {
    if ((yield* releaseNow(world, node, agent)) !== undefined) return "failed";
    if ((yield* runCold(world, node, agent)) !== undefined) return "failed";
    if ((yield* runWarm(world, node, agent)) !== undefined) return "failed";
  } else if (effect === "run-warm-first") {
    if ((yield* runWarm(world, node, agent)) !== undefined) return "failed";
  } else if ((yield* connect(node)) !== undefined) return "failed";
  // LVM reads the labels of the disks before anything else.
  yield world.random.between(20, 60);
  agent.watchEnd = nothingWatched(world);
  const context = contextOf(world, agent);
  const fault = yield* run(world, node, agent, world.graphs.takeover, context);
  if (fault === undefined) {
    const { inherited, reopened, nobodyToNotify } = context.found;
    const v3GraceLasts = world.fileserver.protocols.includes("v3") && nobodyToNotify !== true;
    if (inherited !== undefined) startWatch(world, node, agent, { inherited, written: reopened, v3GraceLasts });
    return "done";
  }
  world.trace?.(world.events.nowMs, node.name, `takeover failed: ${fault}`);
  const { effect: undo } = world.logic.step("taking-over", "run-failed");
  if (undo === "run-release") yield* releaseNow(world, node, agent);
  renewSoon(world, node, agent);
  return "failed";
}

export function* release(world: World, node: SimNode, agent: SimAgent, successor?: string): Task<Answer> {
  if (agent.running !== undefined) return "busy";
  const { effect } = world.logic.step(look(world, node).state, "release-asked");
  if (effect === "refuse-busy") return "busy";
  if (effect !== "run-release") return released(world, node);
  const answer = yield* exclusively(agent, "releasing", releaseWhole(world, node, agent, successor));
  renewSoon(world, node, agent);
  return answer;
}

function* releaseWhole(world: World, node: SimNode, agent: SimAgent, successor?: string): Task<Answer> {
  const fault = yield* releaseNow(world, node, agent, successor);
  const { next } = world.logic.step("releasing", fault === undefined ? "run-done" : "run-failed");
  return next === "partial" ? "failed" : released(world, node);
}

/** Whoever hears that it is released gives it to somebody else. */
function released(world: World, node: SimNode): Answer {
  const seen = sightingOf(node);
  if (!isEmpty(seen)) violate(world, "released-means-gone", `${node.name} says that it has released what it still has`);
  return "done";
}

/** Remembered for longer than the engine takes from the command to the release. */
const ANNOUNCED_MS = 60_000;

export function announced(world: World, { successor }: SimAgent): string | undefined {
  if (successor === undefined || world.events.nowMs - successor.atMs > ANNOUNCED_MS) return undefined;
  return successor.systemId;
}

function* releaseNow(world: World, node: SimNode, agent: SimAgent, successor?: string): Task<Fault> {
  const unconnected = yield* connect(node);
  if (unconnected !== undefined) return unconnected;
  if (node.site.silenced) {
    node.site.linkUp = false;
    node.site.silenced = false;
  }
  const graph = successor === undefined ? undefined : world.graphs.handOver.get(successor);
  const fault = yield* run(world, node, agent, graph ?? world.graphs.release, contextOf(world, agent));
  agent.successor = undefined;
  if (fault === undefined) world.tally.releases += 1;
  else world.trace?.(world.events.nowMs, node.name, `release failed: ${fault}`);
  return fault;
}

/** Namespaces are made anew after a release, unless something of the volumes is here again by then. */
function renewSoon(world: World, node: SimNode, agent: SimAgent): void {
  after(world.events, agent.owner, WARM_AFTER_RELEASE_DELAY_MS, () => {
    spawn(world.events, agent.owner, exclusively(agent, "warming", renew(world, node, agent)));
  });
}

function* renew(world: World, node: SimNode, agent: SimAgent): Task<Answer> {
  if (!world.logic.isEmpty(sightingOf(node))) return "done";
  yield* runCold(world, node, agent);
  return (yield* runWarm(world, node, agent)) === undefined ? "done" : "failed";
}
