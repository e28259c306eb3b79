/** The node n1 of a cluster "lab", which runs no program and has one empty disk; a test says what is otherwise. */
import type { Node } from "../src/agent/context.ts";
import { openReservations } from "../src/scsi/reservation.ts";
import { expectCommands } from "./expected-commands.ts";
import { fakeLun } from "./fake-lun.ts";
import { manualClock } from "./manual-clock.ts";

export function fakeNode(parts: Partial<Node> = {}): Node {
  return {
    name: "n1",
    cluster: "lab",
    engine: "standalone",
    commands: expectCommands(),
    clock: manualClock(),
    reservations: openReservations(fakeLun().port("sg-n1")),
    timeScale: 1,
    reservationKey: "0x1",
    nodeOfKey: () => undefined,
    log: () => undefined,
    ...parts,
  };
}
