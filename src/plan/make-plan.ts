/**
 * The planner: desired and observed in, plan and report out. Pure.
 *
 * INVARIANTS
 * - Nothing is planned for a node of which nothing is known, nor for one of another cluster.
 * - With the engine pacemaker no fileserver is taken over by a plan: the cluster decides where it runs.
 * - A fileserver is taken over only where every node that may serve it was asked and none does. A node that could not
 *   be asked may serve it, and two servers on one volume destroy it.
 * - A fileserver that serves twice, is under way or is stuck is left alone; the report says so.
 * - Directors are made ready before anything else, and begin when what they are to stand before has been released.
 * - What gives a device up comes before what takes it.
 */
import type { ObservedCluster } from "../model/observed.ts";
import type { Spec } from "../model/spec.ts";
import { planCluster } from "./cluster.ts";
import type { Design } from "./design.ts";
import { planDirectors } from "./directors.ts";
import { planFileservers } from "./fileservers.ts";
import { nodeActions, nodeBlocks } from "./nodes.ts";
import type { Action, Note, Plan, Report } from "./plan.ts";
import { planSystem, systemOf } from "./system.ts";
import { planVolumes } from "./volumes.ts";
import { makeWorld, type World } from "./world.ts";

/** @param design what the nodes are to have beside the spec; absent: only agents and specs are looked at. */
export function makePlan(
  desired: Spec,
  observed: ObservedCluster,
  design?: Design,
): { readonly plan: Plan; readonly report: Report } {
  const world = makeWorld(desired, observed);
  const fileservers = planFileservers(world);
  const directors = planDirectors(world, design, observed.directors ?? []);
  const around = design === undefined ? planAgents(world) : planNodes(world, design, directors.prepare);
  return {
    plan: {
      generation: world.generation,
      number: nextNumber(world, observed),
      actions: [
        ...directors.prepare,
        ...fileservers.before,
        ...directors.start,
        ...around.before,
        ...fileservers.after,
        ...around.after,
      ],
    },
    report: {
      effects: fileservers.effects,
      blocked: [...nodeBlocks(world), ...directors.blocked, ...around.blocked, ...fileservers.blocked],
      notes: [...directors.notes, ...around.notes, ...fileservers.notes],
    },
  };
}

interface Around {
  /** Before fileservers are brought into service by the new spec. */
  readonly before: readonly Action[];
  readonly after: readonly Action[];
  readonly blocked: readonly Note[];
  readonly notes: readonly Note[];
}

/** Per node: its program, its spec, its agent. */
function planAgents(world: World): Around {
  const { write, run, retire } = nodeActions(world);
  const perNode = world.nodes.flatMap(({ node }) => [...write, ...run].filter((action) => action.node === node));
  return { before: perNode, after: retire, blocked: [], notes: [] };
}

function planNodes(world: World, design: Design, directors: readonly Action[]): Around {
  const system = planSystem(world, design);
  const volumes = planVolumes(world, design);
  const { write, run, retire } = nodeActions(world, renewedAgents([...directors, ...system.prepare]));
  const perNode = world.nodes.flatMap(({ node }) =>
    [...system.prepare, ...(systemAllows(world, node) ? write : [])].filter((action) => action.node === node),
  );
  const cluster = planCluster(world, design, perNode);
  const agents = run.filter((action) => systemAllows(world, action.node));
  // With Pacemaker a node leaves the ring in good order before the others take it off their list: a node that is only
  // gone is fenced.
  const first = design.pacemaker === undefined ? [] : retire;
  return {
    before: [
      ...first,
      ...perNode,
      ...volumes.actions,
      ...cluster.before,
      ...agents,
      ...cluster.start,
      ...cluster.after,
    ],
    after: design.pacemaker === undefined ? retire : [],
    blocked: [...system.blocked, ...volumes.blocked, ...cluster.blocked],
    notes: [...system.notes, ...volumes.notes, ...cluster.notes],
  };
}

function systemAllows(world: World, name: string): boolean {
  const node = world.nodes.find((each) => each.node === name);
  return node !== undefined && systemOf(world, node) !== undefined;
}

/** An agent works by the program and the unit with which it was started. */
function renewedAgents(prepare: readonly Action[]): ReadonlyMap<string, string> {
  const reasons = prepare.flatMap((action): readonly (readonly [string, string])[] => {
    if (action.kind === "put-program") return [[action.node, "its program is new"]];
    if (action.kind === "share-director-secret") return action.to.map((node) => [node, "its directors' secret is new"]);
    if (action.kind !== "write-file") return [];
    if (action.file === "agent-unit" || action.file === "agent-env") return [[action.node, "its unit is new"]];
    return [];
  });
  return new Map(reasons);
}

function nextNumber(world: World, { directors = [] }: ObservedCluster): number {
  const systems = [...world.nodes, ...directors].map(({ system }) => system);
  const numbers = systems.map((system) => (system?.known === true ? system.value.generation : 0));
  return Math.max(0, ...numbers) + 1;
}
