/** What goes wrong in a schedule: drawn from its seed before it begins, injected in its time, and healed at its end. */
import { STEP_BOUNDS_MS } from "../failover/step.ts";
import { killAgent } from "./agent.ts";
import { endClient } from "./client.ts";
import { pokeEngines } from "./engine.ts";
import { bootLater, freeze, powerOff, powerOn, reboot, thaw, writeBackSoon } from "./node.ts";
import { changed } from "./server.ts";
import { cutStorage, healStorage, storageChanged } from "./storage-path.ts";
import { powerCycle } from "./storage.ts";
import type { Random } from "./random.ts";
import { isInGoodStanding, type SimNode, type World } from "./world.ts";

export interface FaultKind {
  readonly name: string;
  /** How often, against the others. */
  readonly weight: number;
  /** Everything else heals only after so long; else after some seconds. */
  readonly needsMs?: number;
  /** Injects it. Undoes it, where it can be undone, after `lastsMs`. */
  inject(world: World, lastsMs: number): void;
}

export interface PlannedFault {
  readonly kind: FaultKind;
  readonly atMs: number;
  readonly lastsMs: number;
}

const FAULTS_MAX = 5;
const FIRST_MS = 4_000;
const LAST_MS = 26_000;
const LASTS_MS_LEAST = 200;
const LASTS_MS_MOST = 25_000;

/** Most faults come while another one is being dealt with: that is where the order of things is tried. */
export function drawFaults(random: Random): readonly PlannedFault[] {
  if (random.chance(CALM)) return drawMoves(random);
  const total = FAULT_KINDS.reduce((sum, { weight }) => sum + weight, 0);
  const count = random.between(1, FAULTS_MAX);
  let atMs = random.between(FIRST_MS, LAST_MS / 2);
  return Array.from({ length: count }, () => {
    const kind = draw(random, total);
    const planned = { kind, atMs: Math.min(LAST_MS, atMs), lastsMs: lasting(random) };
    atMs += random.chance(0.6) ? random.between(0, 3_000) : random.between(3_000, 12_000);
    return planned;
  });
}

/** Some schedules have no fault at all: moves, one after the other, and nothing may have to be restarted for them. */
const CALM = 0.03;
const MOVES_MAX = 4;

function drawMoves(random: Random): readonly PlannedFault[] {
  const kind = FAULT_KINDS.find(({ name }) => name === MOVE) as FaultKind;
  return Array.from({ length: random.between(1, MOVES_MAX) }, (_, at) => ({
    kind,
    atMs: FIRST_MS + at * 5_000 + random.between(0, 4_000),
    lastsMs: 0,
  }));
}

export function isCalm(faults: readonly PlannedFault[]): boolean {
  return faults.every(({ kind }) => kind.name === MOVE);
}

function lasting(random: Random): number {
  return random.chance(0.5) ? random.between(LASTS_MS_LEAST, 4_000) : random.between(4_000, LASTS_MS_MOST);
}

function draw(random: Random, total: number): FaultKind {
  let left = random.fraction() * total;
  for (const kind of FAULT_KINDS) {
    left -= kind.weight;
    if (left < 0) return kind;
  }
  return FAULT_KINDS[0] as FaultKind;
}

/** Who serves is where it hurts; sometimes it is another one. */
function target(world: World): SimNode {
  const serving = world.nodes.find((node) => node.on && node.site.server !== undefined);
  return serving !== undefined && world.random.chance(0.65) ? serving : world.random.pick(world.nodes);
}

function later(world: World, delayMs: number, run: () => void): void {
  world.events.at(world.events.nowMs + delayMs, run);
}

function say(world: World, who: string, what: string): void {
  world.trace?.(world.events.nowMs, who, what);
}

/** Ends it for good when all faults heal; before, at its own time. */
function holdOff(world: World, node: SimNode, lastsMs: number): void {
  node.heldOff = true;
  powerOff(world, node, "power lost");
  later(world, lastsMs, () => {
    node.heldOff = false;
    powerOn(world, node);
  });
}

const MOVE = "move";
/** Longer than a move and the grace after it. */
const CLIENT_AWAY_MS = 23_000;

export const FAULT_KINDS: readonly FaultKind[] = [
  { name: "power-off", weight: 3, inject: (world, lastsMs) => holdOff(world, target(world), lastsMs) },
  { name: "reset", weight: 2, inject: (world) => reboot(world, target(world), "reset") },
  {
    name: "all-power-off",
    weight: 1,
    inject(world, lastsMs) {
      for (const node of world.nodes) holdOff(world, node, lastsMs + world.random.between(0, 2_000));
    },
  },
  {
    name: "freeze",
    weight: 4,
    inject: (world, lastsMs) => freezeFor(world, target(world), lastsMs),
  },
  {
    name: "ring-cut",
    weight: 4,
    inject(world, lastsMs) {
      const node = target(world);
      cutRing(world, node, world.random.chance(0.6));
      later(world, lastsMs, () => healRing(world, node));
    },
  },
  {
    name: "storage-cut",
    weight: 4,
    inject(world, lastsMs) {
      const node = target(world);
      cutFromStorage(world, node, world.random.chance(0.7) ? "both" : "answers", lastsMs);
    },
  },
  {
    name: "isolation",
    weight: 3,
    inject(world, lastsMs) {
      const node = target(world);
      cutRing(world, node, true);
      cutFromStorage(world, node, "both", lastsMs);
      later(world, lastsMs, () => healRing(world, node));
    },
  },
  {
    name: "boot-without-storage",
    weight: 1,
    inject(world, lastsMs) {
      const node = target(world);
      reboot(world, node, "reset");
      cutFromStorage(world, node, "both", lastsMs);
    },
  },
  {
    name: "lan-cut",
    weight: 1,
    inject(world, lastsMs) {
      const node = target(world);
      node.cuts.lan = true;
      world.disturb();
      say(world, node.name, "is cut off the clients' network");
      later(world, lastsMs, () => {
        node.cuts.lan = false;
        world.disturb();
      });
    },
  },
  {
    name: "client-cut",
    weight: 2,
    inject: (world, lastsMs) => cutClient(world, world.random.pick(world.clients), lastsMs),
  },
  {
    // Until after the end of a grace that waits for it.
    name: "client-away",
    weight: 1,
    needsMs: CLIENT_AWAY_MS + 7_000,
    inject: (world, lastsMs) => void clientAway(world, lastsMs),
  },
  {
    // It has lost what it held and does not know it when it meets the next server.
    name: "client-back-at-move",
    weight: 1,
    needsMs: CLIENT_AWAY_MS + 9_000,
    inject(world, lastsMs) {
      const backMs = clientAway(world, lastsMs);
      later(world, backMs + world.random.between(-1_000, 1_500), () => askForMove(world));
    },
  },
  {
    name: "client-death",
    weight: 1,
    inject(world) {
      const client = world.random.pick(world.clients);
      say(world, client.name, "dies");
      endClient(world, client);
    },
  },
  { name: "agent-kill", weight: 4, inject: (world) => killAgent(world, target(world)) },
  ambush("kill-at-step", 4, (world, node) => killAgent(world, node)),
  ambush("power-off-at-step", 3, holdOff),
  ambush("freeze-at-step", 2, freezeFor),
  ambush("storage-cut-at-step", 3, (world, node, lastsMs) => cutFromStorage(world, node, "both", lastsMs)),
  fenceAmbush("storage-cut-at-fence", 1, (world, fencer, _, lastsMs) =>
    // For longer than it takes to give the question up; the victim stands still for longer than this.
    cutFromStorage(world, fencer, "both", FENCE_READ_BOUND_MS + Math.min(lastsMs, 4_000)),
  ),
  fenceAmbush("kill-at-fence", 1, (world, _, victim) => killAgent(world, victim)),
  { name: MOVE, weight: 5, inject: askForMove },
  {
    name: "slow-steps",
    weight: 2,
    inject(world, lastsMs) {
      world.conditions.slow = true;
      say(world, "steps", "become slow");
      askForMove(world);
      later(world, lastsMs, () => (world.conditions.slow = false));
    },
  },
  {
    name: "lost-answers",
    weight: 2,
    inject(world, lastsMs) {
      world.conditions.losesAnswers = true;
      say(world, "the engine", "loses answers");
      askForMove(world);
      later(world, lastsMs, () => (world.conditions.losesAnswers = false));
    },
  },
  {
    name: "daemon-death",
    weight: 2,
    inject(world) {
      const node = target(world);
      const daemon = world.random.pick(["statd", "mountd", "rpcbind", "holder"] as const);
      node.site[daemon] = false;
      world.conditions.statdDied ||= daemon === "statd";
      say(world, node.name, `loses its ${daemon}`);
      changed(node);
    },
  },
  {
    name: "storage-reset",
    weight: 1,
    inject(world) {
      say(world, "the storage", "is reset; it remembers registrations");
      for (const lun of world.luns) powerCycle(lun, true);
      storageChanged(world);
    },
  },
  { name: "storage-forgets", weight: 0.5, inject: forget },
];

type Strike = (world: World, node: SimNode, lastsMs: number) => void;

/** It comes as a step of some kind begins, wherever that is next; a move sees to it that there is one. */
function ambush(name: string, weight: number, strike: Strike): FaultKind {
  return {
    name,
    weight,
    inject(world, lastsMs) {
      const step = world.random.pick(Object.keys(STEP_BOUNDS_MS));
      say(world, name, `waits for ${step}`);
      world.conditions.ambush = {
        step,
        strike(node) {
          say(world, node.name, `begins ${step}`);
          strike(world, node, lastsMs);
        },
      };
      askForMove(world);
    },
  };
}

/** Bound of one look at the registrations (standing.ts). */
const FENCE_READ_BOUND_MS = 4_000;
const FROZEN_MS_LEAST = 8_000;

/** Who serves stands still, and as somebody begins to fence it something else goes wrong. */
function fenceAmbush(
  name: string,
  weight: number,
  strike: (world: World, fencer: SimNode, victim: SimNode, lastsMs: number) => void,
): FaultKind {
  return {
    name,
    weight,
    inject(world, lastsMs) {
      const victim = target(world);
      say(world, name, `waits for ${victim.name} to be fenced`);
      world.conditions.fenceAmbush = {
        victim,
        strike(fencer) {
          say(world, fencer.name, `begins to fence ${victim.name}`);
          strike(world, fencer, victim, lastsMs);
        },
      };
      freezeFor(world, victim, FROZEN_MS_LEAST + lastsMs);
    },
  };
}

function freezeFor(world: World, node: SimNode, lastsMs: number): void {
  freeze(world, node);
  const { owner } = node;
  later(world, lastsMs, () => {
    if (owner === node.owner) thaw(world, node);
  });
}

function cutRing(world: World, node: SimNode, both: boolean): void {
  for (const other of world.nodes) {
    if (other === node) continue;
    node.cuts.ring.add(other.index);
    if (both) other.cuts.ring.add(node.index);
  }
  say(world, node.name, `is cut off the ring${both ? "" : ", in one direction"}`);
  world.connectivityChanged();
}

function cutFromStorage(world: World, node: SimNode, how: "answers" | "both", lastsMs: number): void {
  say(world, node.name, how === "both" ? "is cut off the storage" : "gets no answers of the storage");
  cutStorage(world, node, how);
  world.disturb("own");
  later(world, lastsMs, () => {
    say(world, node.name, "has its storage again");
    writeBackSoon(world, node);
    healStorage(world, node);
    world.disturb("own");
  });
}

function cutClient(world: World, client: World["clients"][number], lastsMs: number): void {
  client.cut = true;
  interrupt(world, client);
  say(world, client.name, "is cut off");
  later(world, lastsMs, () => {
    client.cut = false;
    interrupt(world, client);
    say(world, client.name, "is back");
  });
}

/** From before a move on, or from just after it has met the new server: then its connection stands there all the time. */
function clientAway(world: World, lastsMs: number): number {
  const delayMs = world.random.between(0, 2_000);
  const awayMs = CLIENT_AWAY_MS + Math.min(lastsMs, 5_000);
  const client = world.random.pick(world.clients);
  askForMove(world);
  later(world, delayMs, () => cutClient(world, client, awayMs));
  return delayMs + awayMs;
}

function interrupt(world: World, client: World["clients"][number]): void {
  client.awayMs = world.events.nowMs;
  client.interruptedMs = world.events.nowMs;
}

/** Not while somebody is away who would write again: without a reservation nothing holds him back (docs/simulation.md). */
function forget(world: World): void {
  if (world.nodes.some((node) => node.on && (node.owner.frozen || !isInGoodStanding(world, node)))) return;
  say(world, "the storage", "has forgotten every registration");
  for (const lun of world.luns) powerCycle(lun, false);
  storageChanged(world);
}

function healRing(world: World, node: SimNode): void {
  node.cuts.ring.clear();
  for (const other of world.nodes) other.cuts.ring.delete(node.index);
  say(world, node.name, "is on the ring again");
  world.connectivityChanged();
}

function askForMove(world: World): void {
  world.wish = world.random.pick(world.nodes).index;
  pokeEngines(world);
  say(world, "an operator", `moves the fileserver to ${world.nodes[world.wish]?.name}`);
}

/** From here on nothing goes wrong any more. */
export function healEverything(world: World): void {
  world.conditions.healed = true;
  world.conditions.healedAtMs = world.events.nowMs;
  world.conditions.slow = false;
  world.conditions.losesAnswers = false;
  world.conditions.ambush = undefined;
  world.conditions.fenceAmbush = undefined;
  say(world, "everything", "heals");
  for (const node of world.nodes) {
    if (node.cuts.lan) world.disturb();
    node.cuts.lan = false;
    if (node.cuts.storage !== "none") {
      writeBackSoon(world, node);
      healStorage(world, node);
    }
    if (node.cuts.ring.size > 0) healRing(world, node);
    thaw(world, node);
    node.heldOff = false;
    if (!node.on) bootLater(world, node);
  }
  for (const client of world.clients) if (client.cut) interrupt(world, client);
  for (const client of world.clients) client.cut = false;
  world.disturb("own");
}
