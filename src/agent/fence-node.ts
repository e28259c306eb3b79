/** Carries out what failover/fence.ts decides: fences another node by taking its registrations. */
import { explain } from "../base/fault.ts";
import { known, unknown, type Observed } from "../base/observed.ts";
import {
  afterPreempt,
  afterRead,
  beginFence,
  nextMove,
  registrationOf,
  type FenceEnd,
  type PreemptAnswer,
} from "../failover/fence.ts";
import type { Node } from "./context.ts";
import type { FenceHush } from "./hush.ts";
import type { Lun } from "./luns.ts";

type Answers = ReadonlyMap<string, Observed<readonly string[]>>;

/**
 * @param luns every LUN of the spec; unknown where some could not be found: then nobody is fenced.
 * @param hush by which the victim hears of it.
 */
export async function fenceNode(
  node: Node,
  victimKey: string,
  luns: Observed<readonly Lun[]>,
  hush?: FenceHush,
): Promise<FenceEnd> {
  if (!luns.known) return { outcome: "failed", because: [`not every LUN is known: ${luns.why}`] };
  const disks = new Map(luns.value.map(({ name, disk }) => [name, disk] as const));
  let state = beginFence({ ownKey: node.reservationKey, victimKey }, [...disks.keys()]);
  for (;;) {
    const move = nextMove(state);
    await hush?.before(move);
    if (move.do === "end") {
      hush?.ended(move.end);
      return move.end;
    }
    if (move.do === "read") state = afterRead(state, await readAll(node, disks, move.luns));
    else state = afterPreempt(state, await preempt(node, disks.get(move.lun) ?? "", victimKey));
  }
}

/** Whether a node's key stands on any LUN. */
export async function askRegistration(
  node: Node,
  key: string,
  luns: Observed<readonly Lun[]>,
): Promise<Observed<"on" | "off">> {
  if (!luns.known) return luns;
  const disks = new Map(luns.value.map(({ name, disk }) => [name, disk] as const));
  return registrationOf(key, await readAll(node, disks, [...disks.keys()]));
}

async function readAll(node: Node, disks: ReadonlyMap<string, string>, names: readonly string[]): Promise<Answers> {
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readKeys(node, disks.get(name) ?? "")] as const)),
  );
}

async function readKeys(node: Node, disk: string): Promise<Observed<readonly string[]>> {
  try {
    return known(await node.reservations.readKeys(disk));
  } catch (error) {
    return unknown(explain(error).slice(0, 2).join(": "));
  }
}

async function preempt(node: Node, disk: string, victimKey: string): Promise<PreemptAnswer> {
  try {
    return await node.reservations.preemptAndAbort(disk, node.reservationKey, victimKey);
  } catch (error) {
    return { failed: explain(error).join(": ") };
  }
}
