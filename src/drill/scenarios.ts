/** Every scenario that `holdfast drill` knows: data, with one runner each. */
import { Fault } from "../base/fault.ts";
import type { DrillDocument } from "./document.ts";
import { judge, UNNOTICED_PAUSE_MAX_MS, type Subject } from "./judge.ts";
import { measureActs, type Act, type Measured, type MeasureSettings, type World } from "./measure.ts";
import { heldLocks, PROBES, type Family, type LoopKind, type Protocol } from "./names.ts";
import { killAgent } from "./kill-agent.ts";

import type { FileserverTarget } from "./placement.ts";
import { seeded } from "./random.ts";
import { TREE_FILES_MIN } from "./tree.ts";
import { checkWire } from "./wire-check/wire-check.ts";

export interface DrillSettings {
  /** The fileserver that the fault is for. */
  readonly fileserver: FileserverTarget;
  /** All others of the cluster. */
  readonly others: readonly FileserverTarget[];
  readonly nodes: readonly [string, string];
  readonly client: string;
  readonly protocol: Protocol;
  readonly family: Family;
  readonly runs: number;
  readonly seed: number;
  readonly treeFiles?: number;
  readonly intervalMs?: number;
  readonly settleMs?: number;
  readonly jitterMs?: number;
  readonly mountRoot?: string;
}

export interface DrillResult {
  readonly documents: readonly DrillDocument[];
  /** For drawings: the probes' own logs. */
  readonly measured: Measured;
}

export interface Scenario {
  readonly name: string;
  readonly summary: string;
  run(world: World, settings: DrillSettings): Promise<DrillResult>;
}

/** Between two rounds: short against a pause of a second, long enough for an emulated client with five loops. */
const INTERVAL_MS = 40;

export const SCENARIOS: readonly Scenario[] = [
  {
    name: "planned-move",
    summary: "moves a fileserver to the other node while a client writes, reads, opens, locks and works on a real tree",
    run: plannedMove,
  },
  {
    name: "neighbour",
    summary: "moves a fileserver while a client of another fileserver on the same node must not notice",
    run: neighbour,
  },
  {
    name: "agent-kill",
    summary: "kills the serving node's agent with SIGKILL; clients must not notice, and the agent must come back",
    run: agentKill,
  },
  {
    name: "wire-check",
    summary: "records the network during a move: no connection ended or refused, holders of v3 locks notified",
    run: wireCheck,
  },
];

export function findScenario(name: string): Scenario {
  const scenario = SCENARIOS.find((one) => one.name === name);
  if (scenario !== undefined) return scenario;
  throw new Fault({
    kind: "invalid",
    code: "unknown-scenario",
    what: `there is no scenario ${JSON.stringify(name)}`,
    remedy: "`holdfast drill --list` names them",
  });
}

async function plannedMove(world: World, settings: DrillSettings): Promise<DrillResult> {
  const watched = [{ target: settings.fileserver, loops: [...PROBES, "tree"] as const }];
  const act = moveAway(world, settings);
  const measured = await measureActs(world, { ...common("planned-move", settings), watched, act });
  return { measured, documents: judge(subjectOf("planned-move", "the move", world, settings), measured) };
}

/** To the one of the two nodes that does not serve it. */
function moveAway(world: World, { fileserver, nodes }: DrillSettings): Act {
  return async (from) => {
    const to = nodes[0] === from ? nodes[1] : nodes[0];
    return { to, timeline: await world.mover.move(fileserver.name, to) };
  };
}

async function agentKill(world: World, settings: DrillSettings): Promise<DrillResult> {
  const watched = [{ target: settings.fileserver, loops: PROBES }];
  const act: Act = async (node) => {
    await killAgent(world.machines, node);
    return { to: await world.mover.serving(settings.fileserver.name) };
  };
  const measured = await measureActs(world, { ...common("agent-kill", settings), watched, act });
  const subject = {
    ...subjectOf("agent-kill", "killing the agent", world, settings),
    limitMs: UNNOTICED_PAUSE_MAX_MS,
  };
  return { measured, documents: judge(subject, measured) };
}

function wireCheck(world: World, settings: DrillSettings): Promise<DrillResult> {
  const subject = subjectOf("wire-check", "the move", world, settings);
  return checkWire(world, settings, common("wire-check", settings), subject);
}

/** The moving fileserver has one client as well: an idle one would stop and start faster than any that is used. */
const MOVING_LOOPS: readonly LoopKind[] = ["write"];

async function neighbour(world: World, settings: DrillSettings): Promise<DrillResult> {
  const other = settings.others[0];
  if (other === undefined) {
    throw new Fault({
      kind: "invalid",
      code: "no-neighbour",
      what: `${settings.fileserver.name} is the only fileserver`,
      remedy: "add a second fileserver to the spec",
    });
  }
  const node = await world.mover.serving(settings.fileserver.name);
  if ((await world.mover.serving(other.name)) !== node) {
    world.progress(`moving ${other.name} to ${node}, beside ${settings.fileserver.name}`);
    await world.mover.move(other.name, node);
  }
  const watched = [
    { target: settings.fileserver, loops: MOVING_LOOPS },
    { target: other, loops: PROBES },
  ];
  const measured = await measureActs(world, {
    ...common("neighbour", settings),
    watched,
    act: moveAway(world, settings),
  });
  const subject: Subject = {
    ...subjectOf("neighbour", "the move", world, settings),
    neighbour: { fileserver: other.name, limitMs: UNNOTICED_PAUSE_MAX_MS },
  };
  return { measured, documents: judge(subject, measured) };
}

function common(scenario: string, settings: DrillSettings): Omit<MeasureSettings, "watched" | "act"> {
  return {
    scenario,
    client: settings.client,
    protocol: settings.protocol,
    family: settings.family,
    target: settings.fileserver,
    treeFiles: settings.treeFiles ?? TREE_FILES_MIN,
    runs: settings.runs,
    random: seeded(settings.seed),
    intervalMs: settings.intervalMs ?? INTERVAL_MS,
    ...(settings.settleMs === undefined ? {} : { settleMs: settings.settleMs }),
    ...(settings.jitterMs === undefined ? {} : { jitterMs: settings.jitterMs }),
    ...(settings.mountRoot === undefined ? {} : { mountRoot: settings.mountRoot }),
  };
}

function subjectOf(scenario: string, act: string, world: World, settings: DrillSettings): Subject {
  return {
    scenario,
    act,
    fileserver: settings.fileserver.name,
    protocol: settings.protocol,
    seed: settings.seed,
    system: world.system,
    accelerator: world.accelerator,
    locksHeld: heldLocks(settings.protocol),
  };
}
