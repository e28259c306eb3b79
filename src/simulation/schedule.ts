/** One schedule: a world made from a seed, run until everything has healed and come to rest, or an invariant broke. */
import { AssertionError } from "../base/assert.ts";
import { startAgent } from "./agent.ts";
import { factsOfClient, newClient, startClient } from "./client.ts";
import { connectivityChanged, newEngine, startEngine } from "./engine.ts";
import { newOwner, newSignal, openEvents } from "./events.ts";
import { drawFaults, healEverything, isCalm, type PlannedFault } from "./faults.ts";
import { checkAlways, checkEnd, served, SERVED_WITHIN_MS } from "./invariants.ts";
import { powerOn } from "./node.ts";
import { seeded, type Random } from "./random.ts";
import { newLun } from "./storage.ts";
import { newVolume } from "./volume.ts";
import { newSite, violate, type SimNode, type Tally, type Trace, type Violation, type World } from "./world.ts";
import type { Cases, LogicCase } from "./cases.ts";

export interface ScheduleResult {
  readonly seed: number;
  readonly violation: Violation | undefined;
  /** Virtual time that it lasted. */
  readonly lastedMs: number;
  readonly events: number;
  readonly faults: readonly PlannedFault[];
  readonly tally: Tally;
}

const LOCKS = 6;
const LOOK_MS = 500;
const HEAL_AFTER_MS = 1_000;
/** A schedule that never comes to an end has a bug of its own. */
const EVENTS_MAX = 1_000_000;

/** @param cases the product's logic, or one with a seeded bug, with its graphs. */
export function runSchedule(cases: Cases, seed: number, trace?: Trace): ScheduleResult {
  const random = seeded(seed);
  const world = makeWorld(random, cases.draw(random), trace);
  const faults = drawFaults(random);
  for (const fault of faults) {
    world.events.at(fault.atMs, () => {
      if (!world.conditions.healed) fault.kind.inject(world, fault.lastsMs);
    });
  }
  const ends = faults.map(({ atMs, lastsMs, kind }) => atMs + Math.max(kind.needsMs ?? 0, Math.min(lastsMs, 12_000)));
  const healMs = Math.max(...ends) + HEAL_AFTER_MS;
  world.events.at(healMs, () => healEverything(world));
  try {
    runToItsEnd(world);
    if (isCalm(faults) && world.tally.reboots > 0) violate(world, "moves-are-calm", "a node restarted without a fault");
  } catch (error) {
    if (!(error instanceof AssertionError)) throw error;
    violate(world, "assertion", error.message);
  }
  const { violation, tally, events } = world;
  return { seed, violation, lastedMs: events.nowMs, events: events.count, faults, tally };
}

function runToItsEnd(world: World): void {
  const { events, conditions } = world;
  let lastMs = 0;
  let lookMs = 0;
  while (world.violation === undefined && events.next()) {
    checkAlways(world, events.nowMs - lastMs);
    lastMs = events.nowMs;
    if (!conditions.healed || events.nowMs < lookMs) continue;
    lookMs = events.nowMs + LOOK_MS;
    const node = served(world);
    if (node !== undefined) {
      checkEnd(world, node);
      return;
    }
    if (events.nowMs - conditions.healedAtMs > SERVED_WITHIN_MS || events.count > EVENTS_MAX)
      violate(
        world,
        "served-in-the-end",
        `not served by exactly one node ${SERVED_WITHIN_MS / 1000} s after all healed`,
      );
  }
}

function makeWorld(random: Random, { fileserver, graphs, logic }: LogicCase, trace: Trace | undefined): World {
  const nodeCount = random.chance(0.6) ? 2 : 3;
  const clientCount = random.between(1, 3);
  const nodes = Array.from({ length: nodeCount }, (_, index) => newNode(index, nodeCount, fileserver.volumes.length));
  const luns = fileserver.volumes.map((_, index) => newLun(`naa.${index + 1}`, nodeCount));
  const clients = Array.from({ length: clientCount }, (_, index) =>
    newClient(index, random.chance(0.55) ? "v3" : "v4", random.pick([700, 1_500, 3_000, 8_000])),
  );
  const world: World = {
    events: openEvents(),
    random,
    logic,
    graphs,
    fileserver,
    nodes,
    luns,
    volumes: fileserver.volumes.map((volume, index) =>
      newVolume(index, volume.name, luns[index] as (typeof luns)[number], clientCount),
    ),
    clients,
    facts: clients.map(({ index }) => factsOfClient(index, fileserver.nfs.ports.lockd)),
    storageNews: newSignal(),
    storageChanges: 0,
    storageChangedMs: 0,
    held: Array.from({ length: LOCKS }, () => undefined),
    ground: newOwner(),
    conditions: {
      slow: false,
      losesAnswers: false,
      ambush: undefined,
      fenceAmbush: undefined,
      statdDied: false,
      healed: false,
      healedAtMs: 0,
    },
    wish: undefined,
    connectivityChanged: () => connectivityChanged(world),
    booted(node) {
      startAgent(world, node);
      startEngine(world, node);
    },
    disturb(own) {
      for (const client of clients) {
        client.awayMs = world.events.nowMs;
        if (own === undefined) client.interruptedMs = world.events.nowMs;
      }
    },
    violation: undefined,
    trace,
    servers: 0,
    tally: {
      takeovers: 0,
      releases: 0,
      fences: 0,
      reboots: 0,
      writes: 0,
      locks: 0,
      reclaims: 0,
      givenUp: 0,
      doubleOpenMs: 0,
    },
  };
  for (const node of nodes) world.events.at(random.between(0, 1_500), () => powerOn(world, node));
  for (const client of clients) startClient(world, client);
  return world;
}

function newNode(index: number, nodes: number, volumes: number): SimNode {
  return {
    index,
    name: `n${index + 1}`,
    key: `0x${(0xa1 + index).toString(16)}`,
    owner: newOwner(),
    on: false,
    heldOff: false,
    cuts: { storage: "none", lan: false, ring: new Set() },
    storageWaiters: [],
    frozenMs: 0,
    thawedMs: 0,
    doubleOpenMs: 0,
    site: newSite(volumes),
    agent: undefined,
    engine: newEngine(nodes),
    registered: new Map(),
    commands: 0,
  };
}
