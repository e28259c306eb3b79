/** Every scenario that `holdfast drill` knows: data, with one runner each. */
import { Fault } from "../base/fault.ts";
import type { DrillDocument } from "./document.ts";
import { judge, NEIGHBOUR_PAUSE_MAX_MS, type Subject } from "./judge.ts";
import { measureMoves, type FileserverTarget, type Measured, type MeasureSettings, type World } from "./measure.ts";
import { PROBES, type LoopKind, type Protocol } from "./names.ts";
import { HELD_LOCKS } from "./probe/works.ts";
import { seeded } from "./random.ts";
import { TREE_FILES_MIN } from "./tree.ts";

export interface DrillSettings {
  /** The fileserver that the fault is for. */
  readonly fileserver: FileserverTarget;
  /** All others of the cluster. */
  readonly others: readonly FileserverTarget[];
  readonly nodes: readonly [string, string];
  readonly client: string;
  readonly protocol: Protocol;
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
  const measured = await measureMoves(world, { ...common("planned-move", settings), watched });
  return { measured, documents: judge(subjectOf("planned-move", world, settings), measured) };
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
  const measured = await measureMoves(world, { ...common("neighbour", settings), watched });
  const subject: Subject = {
    ...subjectOf("neighbour", world, settings),
    neighbour: { fileserver: other.name, limitMs: NEIGHBOUR_PAUSE_MAX_MS },
  };
  return { measured, documents: judge(subject, measured) };
}

function common(scenario: string, settings: DrillSettings): Omit<MeasureSettings, "watched"> {
  return {
    scenario,
    client: settings.client,
    protocol: settings.protocol,
    moving: settings.fileserver,
    nodes: settings.nodes,
    treeFiles: settings.treeFiles ?? TREE_FILES_MIN,
    runs: settings.runs,
    random: seeded(settings.seed),
    intervalMs: settings.intervalMs ?? INTERVAL_MS,
    ...(settings.settleMs === undefined ? {} : { settleMs: settings.settleMs }),
    ...(settings.jitterMs === undefined ? {} : { jitterMs: settings.jitterMs }),
    ...(settings.mountRoot === undefined ? {} : { mountRoot: settings.mountRoot }),
  };
}

function subjectOf(scenario: string, world: World, settings: DrillSettings): Subject {
  return {
    scenario,
    fileserver: settings.fileserver.name,
    protocol: settings.protocol,
    seed: settings.seed,
    system: world.system,
    accelerator: world.accelerator,
    locksHeld: HELD_LOCKS,
  };
}
