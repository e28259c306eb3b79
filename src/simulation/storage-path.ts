/** A node's way to the storage: what waits for it while it is cut, and commands of which no answer comes. */
import { known, unknown, type Observed } from "../base/observed.ts";
import { newSignal, raise, resume, waitAtMost, type Task } from "./events.ts";
import type { Lun } from "./storage.ts";
import type { SimNode, World } from "./world.ts";

/** Done at once, or when the path is back: initiators keep requests and send them again. Never in another boot. */
export function whenStorage(node: SimNode, run: () => void): void {
  if (node.cuts.storage === "none") run();
  else node.storageWaiters.push(run);
}

export function cutStorage(world: World, node: SimNode, how: "answers" | "both"): void {
  node.cuts.storage = how;
  storageChanged(world);
}

export function healStorage(world: World, node: SimNode): void {
  node.cuts.storage = "none";
  const { owner, storageWaiters: waiting } = node;
  node.storageWaiters = [];
  for (const run of waiting) {
    // One that is done may be where the power fails: the rest were of a boot that is over.
    if (!owner.living) break;
    run();
  }
  storageChanged(world);
}

/** sg_persist's and the agent's own commands repeat one that met a unit attention; no more often than this. */
const ATTEMPTS_MAX = 3;

/**
 * One PERSISTENT RESERVE command. Without an answer nobody knows whether it was done: it may have been (the answer was
 * lost), may still be (it waits for the path) or may never be.
 */
export function* scsi<T>(world: World, node: SimNode, lun: Lun, boundMs: number, run: () => T): Task<Observed<T>> {
  const { random } = world;
  yield random.between(1, 4);
  if (node.cuts.storage === "both" && random.chance(0.3)) {
    yield boundMs;
    return unknown("no answer");
  }
  if (node.cuts.storage === "both") {
    // It waits for the path, as initiators let it, and is done then: in time for its asker, or not.
    const back = newSignal();
    const late: { said?: { readonly value: T } } = {};
    const { owner } = node;
    node.storageWaiters.push(() => {
      if (!owner.living) return;
      late.said = { value: done(world, lun, run) };
      resume(owner, () => raise(back));
    });
    yield* waitAtMost(world.events, owner, back, boundMs);
    return late.said === undefined ? unknown("no answer") : known(late.said.value);
  }
  const attentions = lun.attentions[node.index] ?? 0;
  lun.attentions[node.index] = Math.max(0, attentions - ATTEMPTS_MAX);
  if (attentions >= ATTEMPTS_MAX) return unknown("unit attention again and again");
  const said = done(world, lun, run);
  if (node.cuts.storage === "answers") {
    yield boundMs;
    return unknown("no answer");
  }
  yield random.between(1, 4);
  return known(said);
}

function done<T>(world: World, lun: Lun, run: () => T): T {
  const before = lun.changes;
  const said = run();
  if (lun.changes !== before) storageChanged(world);
  return said;
}

export function storageChanged(world: World): void {
  world.storageChanges += 1;
  world.storageChangedMs = world.events.nowMs;
  raise(world.storageNews);
}
