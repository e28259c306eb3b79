/**
 * The watch over a node's registration (agent/registration.ts) and the fence (agent/fence-node.ts), in virtual time.
 * What is concluded comes from failover/standing.ts and failover/fence.ts.
 */
import { unknown, type Observed } from "../base/observed.ts";
import type { FenceEnd } from "../failover/fence.ts";
import type { NodeStanding } from "../failover/standing.ts";
import { newSignal, raise, spawn, waitAtMost, type Signal, type Task } from "./events.ts";
import { reboot } from "./node.ts";
import { isInUse, sightingOf } from "./sighting.ts";
import { scsi } from "./storage-path.ts";
import { preempt, register, reserve, type Lun } from "./storage.ts";
import type { SimAgent, SimNode, World } from "./world.ts";

const LOOK_INTERVAL_MS = 250;
export const SILENCE_AFTER_MS = 1_000;
const SCSI_BOUND_MS = 4_000;
const OPEN_AGAIN_MS = 15;

type Rules = Parameters<World["logic"]["concludeNode"]>[1];

export function watchStanding(world: World, node: SimNode, agent: SimAgent): void {
  const rules: Rules = {
    ownKey: node.key,
    clusterKeys: world.nodes.map(({ key }) => key),
    silenceAfterMs: SILENCE_AFTER_MS,
  };
  spawn(world.events, agent.owner, lookAgainAndAgain(world, node, agent, rules));
}

/** The agent looks four times a second; here only for as long as something may have changed, which shows it the same. */
function* lookAgainAndAgain(world: World, node: SimNode, agent: SimAgent, rules: Rules): Task {
  let registering = false;
  for (;;) {
    const before = world.storageChanges;
    yield* askAll(world, node, agent, rules);
    const now = conclude(world, node, agent, rules);
    agent.standing = now;
    if (now.fenced !== undefined) {
      reboot(world, node, now.fenced);
      return;
    }
    act(world, node, agent, now);
    if (now.register.length > 0 && !registering) {
      registering = true;
      spawn(world.events, agent.owner, registerOn(world, node, agent, now.register), () => (registering = false));
    }
    const asking = [...agent.seen.values()].some((seen) => seen.asking);
    const settled = now.good && !node.site.silenced && !registering && !asking && world.storageChanges === before;
    if (settled) {
      yield world.storageNews;
      verifyUntilNow(world, node, agent);
    }
    yield settled ? world.random.between(1, LOOK_INTERVAL_MS) : LOOK_INTERVAL_MS;
  }
}

/** Looks that were left out would have shown the same: up to the change, or until the node was frozen. */
function verifyUntilNow(world: World, node: SimNode, agent: SimAgent): void {
  const { nowMs } = world.events;
  const untilMs = world.storageChangedMs === nowMs ? nowMs : node.frozenMs;
  const lookedMs = untilMs - world.random.between(0, LOOK_INTERVAL_MS);
  for (const seen of agent.seen.values()) seen.verifiedAtMs = Math.max(seen.verifiedAtMs, lookedMs);
}

/** A LUN that hangs holds up neither the others nor what follows. */
function* askAll(world: World, node: SimNode, agent: SimAgent, rules: Rules): Task {
  const answered = newSignal();
  let open = 0;
  for (const lun of world.luns) {
    const seen = seenOf(world, agent, lun);
    if (seen.asking) continue;
    open += 1;
    spawn(world.events, agent.owner, ask(world, node, agent, lun, rules), () => {
      open -= 1;
      if (open === 0) raise(answered);
    });
  }
  if (open > 0) yield* waitAtMost(world.events, agent.owner, answered, LOOK_INTERVAL_MS);
}

function seenOf(world: World, agent: SimAgent, lun: Lun): NonNullable<ReturnType<SimAgent["seen"]["get"]>> {
  const seen = agent.seen.get(lun.name) ?? {
    keys: unknown<readonly string[]>("not asked yet"),
    verifiedAtMs: world.events.nowMs,
    asking: false,
  };
  agent.seen.set(lun.name, seen);
  return seen;
}

function* ask(world: World, node: SimNode, agent: SimAgent, lun: Lun, rules: Rules): Task {
  const seen = seenOf(world, agent, lun);
  seen.asking = true;
  const askedAtMs = world.events.nowMs;
  seen.keys = yield* readKeys(world, node, lun);
  if (seen.keys.known && seen.keys.value.includes(rules.ownKey)) seen.verifiedAtMs = askedAtMs;
  seen.asking = false;
}

function readKeys(world: World, node: SimNode, lun: Lun): Task<Observed<readonly string[]>> {
  return scsi(world, node, lun, SCSI_BOUND_MS, () =>
    world.nodes.filter(({ index }) => lun.keys.has(index)).map(({ key }) => key),
  );
}

function conclude(world: World, node: SimNode, agent: SimAgent, rules: Rules): NodeStanding {
  const inUse = isInUse(world, node, agent);
  return world.logic.concludeNode(
    world.luns.map((lun) => {
      const { keys, verifiedAtMs, asking } = seenOf(world, agent, lun);
      const unverifiedMs = world.events.nowMs - verifiedAtMs;
      const late = asking && unverifiedMs >= SILENCE_AFTER_MS;
      const registered = node.registered.has(lun.name);
      return {
        lun: lun.name,
        keys: late ? unknown<readonly string[]>("no answer yet") : keys,
        registered,
        inUse: (registered && keys.known) || inUse,
        unverifiedMs,
      };
    }),
    rules,
  );
}

function act(world: World, node: SimNode, agent: SimAgent, now: NodeStanding): void {
  const { site } = node;
  const names = world.luns.map(({ name }) => name);
  const ruling = world.logic.ruleAddress(now, names, site.silenced);
  if (ruling === "silence" && site.linkUp) {
    if (agent.running === "releasing") site.linkUp = false;
    else site.silenced = true;
    world.disturb("own");
    world.trace?.(world.events.nowMs, node.name, "silences its address");
  }
  if (ruling === "resume" && agent.running === undefined) spawn(world.events, agent.owner, resume(world, node, agent));
}

function* resume(world: World, node: SimNode, agent: SimAgent): Task {
  agent.running = "taking-over";
  yield OPEN_AGAIN_MS;
  agent.running = undefined;
  const seen = sightingOf(node);
  const whole = seen.nfsdThreads > 0 && seen.volumesMounted === seen.volumes && !seen.requestsHeld;
  if (!whole) node.site.linkUp = false;
  node.site.silenced = false;
  world.disturb("own");
  world.trace?.(world.events.nowMs, node.name, "opens its address again");
}

function* registerOn(world: World, node: SimNode, agent: SimAgent, names: readonly string[]): Task {
  for (const lun of world.luns.filter(({ name }) => names.includes(name))) {
    const said = yield* scsi(world, node, lun, SCSI_BOUND_MS, () => register(lun, node.index));
    if (!said.known) continue;
    const holder = yield* scsi(world, node, lun, SCSI_BOUND_MS, () => lun.holder ?? "none");
    if (!holder.known) continue;
    if (holder.value === "none") {
      const reserved = yield* scsi(world, node, lun, SCSI_BOUND_MS, () => reserve(lun, node.index));
      if (!reserved.known) continue;
    }
    node.registered.set(lun.name, world.events.nowMs);
    seenOf(world, agent, lun).verifiedAtMs = world.events.nowMs;
    world.trace?.(world.events.nowMs, node.name, `is registered on ${lun.name}`);
  }
}

/** Undefined where it did not end within the bound: nothing is certain then. */
export function* fence(world: World, node: SimNode, victim: SimNode): Task<FenceEnd> {
  const { logic } = world;
  if (node.agent?.standing?.good !== true)
    return { outcome: "failed", because: ["this node is not registered on every LUN"] };
  ambush(world, node, victim);
  const luns = new Map(world.luns.map((lun) => [lun.name, lun] as const));
  let state = logic.beginFence({ ownKey: node.key, victimKey: victim.key }, [...luns.keys()]);
  for (;;) {
    const move = logic.nextMove(state);
    if (move.do === "end") {
      if (move.end.outcome === "fenced") world.tally.fences += 1;
      return move.end;
    }
    if (move.do === "read") state = logic.afterRead(state, yield* readAll(world, node, luns, move.luns));
    else {
      const lun = luns.get(move.lun) as Lun;
      const said = yield* scsi(world, node, lun, SCSI_BOUND_MS, () => preempt(lun, node.index, victim.index));
      const answer = !said.known ? { failed: said.why } : said.value === "good" ? "done" : "conflict";
      state = logic.afterPreempt(state, answer);
    }
  }
}

function ambush(world: World, fencer: SimNode, victim: SimNode): void {
  const waiting = world.conditions.fenceAmbush;
  if (waiting?.victim !== victim) return;
  world.conditions.fenceAmbush = undefined;
  waiting.strike(fencer);
}

function* readAll(
  world: World,
  node: SimNode,
  luns: ReadonlyMap<string, Lun>,
  names: readonly string[],
): Task<ReadonlyMap<string, Observed<readonly string[]>>> {
  const answers = new Map<string, Observed<readonly string[]>>();
  const all: Signal = newSignal();
  let open = names.length;
  for (const name of names) {
    spawn(world.events, (node.agent as SimAgent).owner, readKeys(world, node, luns.get(name) as Lun), (keys) => {
      answers.set(name, keys);
      open -= 1;
      if (open === 0) raise(all);
    });
  }
  if (open > 0) yield all;
  return answers;
}
