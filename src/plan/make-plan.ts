/**
 * The planner: desired and observed in, plan and report out. Pure.
 *
 * INVARIANTS
 * - Nothing is planned for a node of which nothing is known, nor for one of another cluster.
 * - A fileserver is taken over only where every node that may serve it was asked and none does. A node that could not
 *   be asked may serve it, and two servers on one volume destroy it.
 * - A fileserver that serves twice, is under way or is stuck is left alone; the report says so.
 * - What gives a device up comes before what takes it.
 */
import type { ObservedCluster } from "../model/observed.ts";
import type { Spec } from "../model/spec.ts";
import { planFileservers } from "./fileservers.ts";
import { nodeActions, nodeBlocks } from "./nodes.ts";
import type { Note, Plan, Report } from "./plan.ts";
import { makeWorld } from "./world.ts";

export function makePlan(desired: Spec, observed: ObservedCluster): { readonly plan: Plan; readonly report: Report } {
  const world = makeWorld(desired, observed);
  const nodes = nodeActions(world);
  const fileservers = planFileservers(world);
  return {
    plan: {
      generation: world.generation,
      actions: [...fileservers.before, ...nodes.write, ...fileservers.after, ...nodes.retire],
    },
    report: {
      effects: fileservers.effects,
      blocked: [...nodeBlocks(world), ...fileservers.blocked],
      notes: [...releaseNotes(desired), ...fileservers.notes],
    },
  };
}

/** What the spec asks for and this release does not do. */
function releaseNotes(desired: Spec): readonly Note[] {
  const notes: Note[] = [];
  if (desired.cluster.engine === "pacemaker") {
    notes.push({
      code: "engine-not-there",
      about: desired.cluster.name,
      what: "this release does not set Pacemaker up: nothing is fenced, and no fileserver is started or moved by itself or by this plan",
      remedy: "write engine: standalone to have fileservers move when told to",
    });
  }
  if (desired.directors.length > 0) {
    notes.push({
      code: "directors-not-there",
      about: desired.cluster.name,
      what: "this release does not set directors up: clients use the fileservers' own addresses",
    });
  }
  return notes;
}
