/** What the resource agent does for the engine (agent/resource.ts), with its retries while the agent is away. */
import { announced, connect, release, takeover } from "./agent.ts";
import { after, newSignal, raise, resume, spawn, waitAtMost, type Task } from "./events.ts";
import { reboot } from "./node.ts";
import { look, sightingOf } from "./sighting.ts";
import { whenStorage } from "./storage-path.ts";
import type { SimAgent, SimNode, World } from "./world.ts";

/** Exit status of the OCF: 0, 7 and 1. */
export type Outcome = "success" | "not-running" | "failed";
export type Action = "start" | "stop" | "monitor";

export const ACTION_BOUNDS_MS: Readonly<Record<Action, number>> = { start: 90_000, stop: 90_000, monitor: 20_000 };
const RETRY_INTERVAL_MS = 100;
const SILENCE_TOLERATED_MS = 5_000;
const CHECK_BOUND_MS = 5_000;
/** Nothing can be written back to a storage that does not answer. */
const SILENT_STOP_BOUND_MS = 15_000;
const AGENT_INTERVAL_MS = 250;

/** The script: its question is asked again where the agent died over it. */
export function* act(world: World, node: SimNode, action: Action): Task<Outcome> {
  const endMs = world.events.nowMs + ACTION_BOUNDS_MS[action];
  while (world.events.nowMs < endMs) {
    const { agent } = node;
    if (agent !== undefined) {
      const outcome = yield* askAgent(world, node, agent, action, endMs);
      if (outcome !== undefined) return outcome;
    }
    yield AGENT_INTERVAL_MS;
  }
  if (action === "stop") reboot(world, node, "it could not be stopped within its bound");
  return "failed";
}

function* askAgent(
  world: World,
  node: SimNode,
  agent: SimAgent,
  action: Action,
  endMs: number,
): Task<Outcome | undefined> {
  const answered = newSignal();
  const answer: { outcome?: Outcome } = {};
  spawn(world.events, agent.owner, ACTIONS[action](world, node, agent, endMs), (value) => {
    answer.outcome = value;
    resume(node.owner, () => raise(answered));
  });
  while (answer.outcome === undefined && node.agent === agent && world.events.nowMs < endMs)
    yield* waitAtMost(world.events, node.owner, answered, AGENT_INTERVAL_MS);
  return answer.outcome;
}

type AgentAction = (world: World, node: SimNode, agent: SimAgent, endMs: number) => Task<Outcome>;

const ACTIONS: Readonly<Record<Action, AgentAction>> = { start, stop, monitor };

type Refusal = "none" | "passing" | "final";

/** Agent's `refusal`: a registration that is not verified for the moment is waited for, one that has yet to come is not. */
function refusal(world: World, node: SimNode, { standing }: SimAgent, askedMs: number): Refusal {
  if (standing?.good === true && !registeredSince(node, askedMs)) return "none";
  if (standing === undefined || world.logic.ways.startWaitsForRegistration) return "passing";
  const registered = node.registered.size === world.luns.length && !registeredSince(node, askedMs);
  return registered && standing.fenced === undefined ? "passing" : "final";
}

/** The engine may have given this node up in between, when nobody could have taken a key from it. */
function registeredSince(node: SimNode, askedMs: number): boolean {
  for (const atMs of node.registered.values()) if (atMs >= askedMs) return true;
  return false;
}

function* start(world: World, node: SimNode, agent: SimAgent, endMs: number): Task<Outcome> {
  const askedMs = world.logic.ways.startWaitsForRegistration ? Infinity : endMs - ACTION_BOUNDS_MS.start;
  while (world.events.nowMs < endMs) {
    const refused = refusal(world, node, agent, askedMs);
    if (refused === "final") return "failed";
    if (refused === "none") {
      const answer = yield* takeover(world, node, agent);
      if (answer === "done") return "success";
      if (answer !== "busy") return "failed";
    }
    yield RETRY_INTERVAL_MS;
  }
  return "failed";
}

function* stop(world: World, node: SimNode, agent: SimAgent, boundMs: number): Task<Outcome> {
  const endMs = node.site.silenced ? Math.min(boundMs, world.events.nowMs + SILENT_STOP_BOUND_MS) : boundMs;
  let stopped = false;
  // Whatever hangs: this does not wait for it.
  after(world.events, agent.owner, endMs - world.events.nowMs, () => {
    if (!stopped) reboot(world, node, "it could not be stopped within its bound");
  });
  while (agent.running !== undefined || !isGone(world, node)) {
    yield* release(world, node, agent, announced(world, agent));
    yield RETRY_INTERVAL_MS;
  }
  stopped = true;
  return "success";
}

/** Nothing is here, and no command is under way that could still bring something. */
function isGone(world: World, node: SimNode): boolean {
  const overdue = world.logic.ways.waitsForOverdueCommands && node.commands > 0;
  return world.logic.isEmpty(sightingOf(node)) && !overdue;
}

function* monitor(world: World, node: SimNode, agent: SimAgent, endMs: number): Task<Outcome> {
  const toleratedMs = Math.min(endMs, world.events.nowMs + SILENCE_TOLERATED_MS);
  const isMoving = (): boolean => agent.running === "taking-over" || agent.running === "releasing";
  yield world.random.between(5, 50);
  while ((node.site.silenced || isMoving()) && world.events.nowMs < toleratedMs) yield RETRY_INTERVAL_MS;
  if (node.site.silenced || isMoving()) return "failed";
  if (world.logic.isEmpty(sightingOf(node))) return "not-running";
  const { state, lacks } = look(world, node);
  if (state !== "serving" || lacks.length > 0 || agent.standing?.good !== true) return "failed";
  if ((yield* connect(node)) !== undefined) return "failed";
  return (yield* isHealthy(world, node)) ? "success" : "failed";
}

/** A small file of the state folder is written and synced; the server is asked through its address. */
function* isHealthy(world: World, node: SimNode): Task<boolean> {
  const written = newSignal();
  let done = false;
  whenStorage(node, () => {
    done = true;
    resume(node.owner, () => raise(written));
  });
  if (!done) yield* waitAtMost(world.events, node.owner, written, CHECK_BOUND_MS);
  return done && node.site.mounts.every((one) => one?.shutDown === false) && node.site.server !== undefined;
}
