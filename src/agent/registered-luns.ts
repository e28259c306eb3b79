/** The reservation of a LUN as a takeover needs it in engine pacemaker: nothing is taken, it must be so already. */
import { Fault } from "../base/fault.ts";
import { reservedByStranger } from "../scsi/reservation.ts";
import type { Node } from "./context.ts";

/**
 * Rejects where this node is not registered, or where the LUN is another cluster's. Who of the cluster holds the
 * reservation means nothing: the node that fenced another holds its reservations, and need not be the one that takes
 * the fileserver over. But one has to stand: without any, a node that was fenced could write again.
 */
export async function confirmRegistered(node: Node, disk: string): Promise<void> {
  const { keys, holder } = await node.reservations.readState(disk);
  if (!keys.includes(node.reservationKey)) throw notRegistered(node, disk);
  if (holder !== undefined && node.nodeOfKey(holder) === undefined) throw reservedByStranger(disk, holder);
  if (holder !== undefined || (await node.reservations.reserve(disk, node.reservationKey)) === "done") return;
  // Another node was quicker, or this one has been fenced since the question.
  const after = await node.reservations.readState(disk);
  if (!after.keys.includes(node.reservationKey)) throw notRegistered(node, disk);
  if (after.holder === undefined || node.nodeOfKey(after.holder) === undefined)
    throw reservedByStranger(disk, after.holder ?? "unknown");
}

function notRegistered(node: Node, disk: string): Fault {
  return new Fault({
    kind: "refused",
    code: "not-registered",
    what: `${node.name} is not registered on ${disk}`,
    why: "it was fenced, or has not registered since it was booted; it could not write there",
    remedy: "the agent registers by itself after a reboot: holdfast status tells why it has not",
  });
}
