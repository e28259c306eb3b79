/**
 * A cluster engine: who is a member, who decides, who is fenced, and what is started and stopped where. As strict as
 * Pacemaker in what safety rests on (nothing starts before every node that left is known to be fenced; a stop that
 * failed ends in a fence) and worse in everything else: views differ for seconds, answers are lost, two may decide.
 */
import { after, newSignal, raise, spawn, waitAtMost, type Signal, type Task } from "./events.ts";
import { reboot } from "./node.ts";
import { act, ACTION_BOUNDS_MS, type Action, type Outcome } from "./resource.ts";
import { fence } from "./standing.ts";
import { isRunning, type SimEngine, type SimNode, type World } from "./world.ts";

const START_MS_LEAST = 500;
const START_MS_MOST = 2_500;
const TOKEN_MS_LEAST = 500;
const TOKEN_MS_MOST = 2_500;
const LOOP_MS = 1_000;
const MONITOR_INTERVAL_MS = 5_000;
const FENCE_BOUND_MS = 20_000;
const FENCE_RETRY_MS = 2_000;
/** priority-fencing-delay: who does not serve gives the other one a lead. */
const FENCE_DELAY_MS_MOST = 1_500;
const PANIC_MS_MOST = 1_000;
/** Whoever has not been seen since the start is waited for before he is fenced (dc-deadtime). */
const DC_DEADTIME_MS = 5_000;

export function newEngine(nodes: number): SimEngine {
  return {
    running: false,
    view: new Set(),
    sawAll: false,
    down: new Set(),
    knows: Array.from({ length: nodes }, () => "unknown" as const),
    failures: Array.from({ length: nodes }, () => 0),
    poked: newSignal(),
    operations: new Set(),
    monitoredMs: 0,
    startedMs: 0,
    seen: new Set(),
  };
}

export function startEngine(world: World, node: SimNode): void {
  spawn(world.events, node.owner, startRegistered(world, node));
}

/** Pacemaker's unit waits for the registration (packaging/pacemaker-holdfast.conf). */
function* startRegistered(world: World, node: SimNode): Task {
  const isReady = (): boolean => node.agent?.standing?.good === true || !world.logic.ways.engineWaitsForRegistration;
  do yield world.random.between(START_MS_LEAST, START_MS_MOST);
  while (!isReady());
  node.engine = { ...newEngine(world.nodes.length), running: true, view: new Set([node.index]) };
  node.engine.startedMs = world.events.nowMs;
  spawn(world.events, node.owner, decideAgainAndAgain(world, node));
  connectivityChanged(world);
}

/** Everybody notices in his own time. */
export function connectivityChanged(world: World): void {
  for (const node of world.nodes) {
    if (!node.engine.running) continue;
    const { owner } = node;
    after(world.events, owner, world.random.between(TOKEN_MS_LEAST, TOKEN_MS_MOST), () => adoptView(world, node));
  }
}

export function isLinked(a: SimNode, b: SimNode): boolean {
  return !a.cuts.ring.has(b.index) && !b.cuts.ring.has(a.index);
}

/** Members hear each other, all of them: who is not heard by one is left to another partition. */
function partitionOf(world: World, node: SimNode): ReadonlySet<number> {
  const left = new Set(world.nodes.filter((one) => one.engine.running && isRunning(one)));
  while (left.size > 0) {
    const members: SimNode[] = [];
    for (const one of left) if (members.every((member) => isLinked(member, one))) members.push(one);
    if (members.includes(node)) return new Set(members.map(({ index }) => index));
    for (const member of members) left.delete(member);
  }
  return new Set([node.index]);
}

function adoptView(world: World, node: SimNode): void {
  const { engine } = node;
  if (!engine.running) return;
  const view = partitionOf(world, node);
  if (view.size === engine.view.size && [...view].every((one) => engine.view.has(one))) return;
  world.trace?.(world.events.nowMs, node.name, `sees ${[...view].map((one) => world.nodes[one]?.name).join(" ")}`);
  for (const index of view) {
    engine.seen.add(index);
    if (engine.view.has(index)) continue;
    const other = world.nodes[index] as SimNode;
    if (engine.down.delete(index)) tellOfFence(world, other);
    engine.knows[index] = other.engine.knows[index] ?? "unknown";
    engine.failures[index] = 0;
    unlearnDown(engine, other.engine);
  }
  engine.view = view;
  engine.sawAll ||= view.size === world.nodes.length;
  for (const operation of engine.operations) raise(operation);
  pokeEngines(world);
}

/**
 * Who was fenced, and has come back since to those who now join this node, is not down any more: of two partitions that
 * meet, the one that went on has the newer CIB, and it knows better (Pacemaker keeps the CIB with the higher version).
 */
function unlearnDown(engine: SimEngine, joined: SimEngine): void {
  for (const index of engine.down) if (joined.seen.has(index) && !joined.down.has(index)) engine.down.delete(index);
}

/** A node that comes back without having restarted is told that it was fenced (fence-reaction=panic); mostly. */
function tellOfFence(world: World, node: SimNode): void {
  if (node.registered.size === 0 || !world.random.chance(0.7)) return;
  const isFenced = (): boolean => world.luns.some((lun) => !lun.keys.has(node.index));
  after(world.events, node.owner, world.random.between(10, PANIC_MS_MOST), () => {
    if (isFenced()) reboot(world, node, "it was told that it had been fenced");
  });
}

/** Of two nodes one is enough, once both have seen each other (two_node, wait_for_all); of three, two. */
function isQuorate(world: World, { engine }: SimNode): boolean {
  if (world.nodes.length === 2) return engine.sawAll;
  return engine.view.size * 2 > world.nodes.length;
}

/** Members agree on who they are before anything is decided for them, and then it is one of them who decides. */
function isDecider(world: World, { engine, index }: SimNode): boolean {
  for (const member of engine.view) {
    if (member < index) return false;
    const theirs = world.nodes[member]?.engine;
    if (theirs === undefined || !theirs.running || theirs.view.size !== engine.view.size) return false;
    for (const one of engine.view) if (!theirs.view.has(one)) return false;
  }
  return true;
}

function* decideAgainAndAgain(world: World, node: SimNode): Task {
  const { engine } = node;
  for (;;) {
    let acted = false;
    if (!isQuorate(world, node)) acted = yield* stopOwn(world, node);
    else if (isDecider(world, node)) acted = yield* decide(world, node);
    if (acted) continue;
    // Whoever does not decide has nothing to do before something changes.
    if (!isDecider(world, node)) yield engine.poked;
    else yield* waitAtMost(world.events, node.owner, engine.poked, untilMonitored(world, node));
  }
}

function untilMonitored(world: World, { engine }: SimNode): number {
  return Math.max(LOOP_MS / 2, engine.monitoredMs + MONITOR_INTERVAL_MS - world.events.nowMs);
}

/** Something has changed that a decider may have to act upon. */
export function pokeEngines(world: World): void {
  for (const { engine } of world.nodes) raise(engine.poked);
}

/** no-quorum-policy=stop. */
function* stopOwn(world: World, node: SimNode): Task<boolean> {
  const { engine, index } = node;
  if (engine.knows[index] === "stopped" || engine.knows[index] === "pending") return false;
  yield* local(world, node, engine.knows[index] === "unknown" ? "monitor" : "stop");
  return true;
}

function* decide(world: World, node: SimNode): Task<boolean> {
  const { engine } = node;
  if (yield* fenceWhoLeft(world, node)) return true;
  const members = [...engine.view];
  for (const index of members) {
    engine.knows[index] = world.nodes[index]?.engine.knows[index] ?? "unknown";
    if (engine.knows[index] === "unknown") return yield* operate(world, node, index, "monitor");
    if (engine.knows[index] === "pending") return false;
    if (engine.knows[index] === "failed") return yield* operate(world, node, index, "stop");
  }
  const started = members.filter((index) => engine.knows[index] === "started");
  const [first] = started;
  if (started.length > 1) return yield* operate(world, node, started[1] as number, "stop");
  if (first === undefined) return yield* operate(world, node, chooseNode(world, node, members), "start");
  // One attempt: a target that cannot is left alone.
  if (world.wish !== undefined && (world.wish === first || engine.failures[world.wish] !== 0)) world.wish = undefined;
  if (world.wish !== undefined && engine.view.has(world.wish)) {
    const source = world.nodes[first]?.agent;
    const target = world.nodes[world.wish];
    if (source !== undefined && target !== undefined)
      source.successor = { systemId: target.name, atMs: world.events.nowMs };
    return yield* operate(world, node, first, "stop");
  }
  if (world.events.nowMs - engine.monitoredMs < MONITOR_INTERVAL_MS) return false;
  engine.monitoredMs = world.events.nowMs;
  return yield* operate(world, node, first, "monitor");
}

function chooseNode(world: World, { engine }: SimNode, members: readonly number[]): number {
  if (world.wish !== undefined && members.includes(world.wish) && engine.failures[world.wish] === 0) return world.wish;
  const least = Math.min(...members.map((index) => engine.failures[index] ?? 0));
  return world.random.pick(members.filter((index) => (engine.failures[index] ?? 0) === least));
}

/** True where something was done about it: nothing else may happen before everybody who left is down. */
function* fenceWhoLeft(world: World, node: SimNode): Task<boolean> {
  const { engine } = node;
  const victim = world.nodes.find(({ index }) => !engine.view.has(index) && !engine.down.has(index));
  if (victim === undefined) return false;
  if (!engine.seen.has(victim.index) && world.events.nowMs - engine.startedMs < DC_DEADTIME_MS) {
    yield LOOP_MS / 2;
    return true;
  }
  if (node.site.server === undefined) yield world.random.between(0, FENCE_DELAY_MS_MOST);
  if (engine.view.has(victim.index)) return true;
  const certain = yield* askForFence(world, node, victim);
  world.trace?.(world.events.nowMs, node.name, `${certain ? "has fenced" : "could not fence"} ${victim.name}`);
  if (!certain) {
    yield FENCE_RETRY_MS;
    return true;
  }
  for (const index of engine.view) {
    const member = world.nodes[index]?.engine;
    if (member === undefined || member.view.has(victim.index)) continue;
    member.down.add(victim.index);
    member.knows[victim.index] = "stopped";
  }
  return true;
}

/** fence_holdfast asks the agent of its own node. */
function* askForFence(world: World, node: SimNode, victim: SimNode): Task<boolean> {
  const { agent } = node;
  if (agent === undefined) return false;
  const answered = newSignal();
  let certain = false;
  spawn(world.events, agent.owner, fence(world, node, victim), ({ outcome }) => {
    certain = outcome === "fenced" || outcome === "already";
    raise(answered);
  });
  const inTime = yield* waitAtMost(world.events, node.owner, answered, FENCE_BOUND_MS);
  return inTime && certain;
}

/** One operation on a member, from here: what it came to is heard, or not. */
function* operate(world: World, node: SimNode, index: number, action: Action): Task<boolean> {
  const { engine, owner } = node;
  const member = world.nodes[index];
  if (member === undefined) return false;
  const answered: Signal = newSignal();
  const answer = { heard: false };
  if (isLinked(node, member) && isRunning(member)) {
    after(world.events, member.owner, world.random.between(1, 10), () => {
      // An order of somebody who does not decide any more is not carried out.
      if (Math.min(...member.engine.view) !== node.index) return;
      spawn(world.events, member.owner, local(world, member, action), () => {
        if (world.conditions.losesAnswers && world.random.chance(0.3)) return;
        after(world.events, owner, world.random.between(1, 10), () => {
          answer.heard = true;
          raise(answered);
        });
      });
    });
  }
  engine.operations.add(answered);
  const endMs = world.events.nowMs + ACTION_BOUNDS_MS[action] + LOOP_MS;
  while (!answer.heard && engine.view.has(index) && world.events.nowMs < endMs)
    yield* waitAtMost(world.events, owner, answered, endMs - world.events.nowMs);
  engine.operations.delete(answered);
  if (action === "start" && member.engine.knows[index] === "failed")
    engine.failures[index] = (engine.failures[index] ?? 0) + 1;
  // Nothing happens at the same moment again and again.
  yield 1;
  return true;
}

/** pacemaker-execd on the node itself: its record is what a decider that comes new finds. */
function* local(world: World, node: SimNode, action: Action): Task<Outcome> {
  const { engine, index } = node;
  if (engine.knows[index] === "pending") return "failed";
  const before = engine.knows[index];
  if (action !== "monitor" || before === "unknown") engine.knows[index] = "pending";
  world.trace?.(world.events.nowMs, node.name, action);
  const outcome = yield* act(world, node, action);
  if (action !== "monitor" || outcome !== "success")
    world.trace?.(world.events.nowMs, node.name, `${action}: ${outcome}`);
  if (!engine.running) return outcome;
  if (outcome === "failed") engine.knows[index] = "failed";
  else if (action === "stop" || outcome === "not-running") engine.knows[index] = "stopped";
  else engine.knows[index] = "started";
  if (action !== "monitor" || outcome !== "success") pokeEngines(world);
  return outcome;
}
