/** Several fake LUNs, each known to a node by a disk of its own. */
import type { ScsiPort } from "../src/scsi/reservation.ts";
import { openReservations, type Reservations } from "../src/scsi/reservation.ts";
import { fakeLun, type FakeLun } from "./fake-lun.ts";

export interface FakeLuns {
  /** By disk, e.g. "/dev/sda". */
  readonly luns: ReadonlyMap<string, FakeLun>;
  /** As one node sees them all. */
  reservationsOf(node: string): Reservations;
  /** How a node's path to a disk fails, by "node|disk", e.g. "n1|/dev/sda"; taken away again by whoever set it. */
  readonly faults: Map<string, "error" | "hang">;
}

export function fakeLuns(...disks: readonly string[]): FakeLuns {
  const luns = new Map(disks.map((disk) => [disk, fakeLun()] as const));
  const faults = new Map<string, "error" | "hang">();
  const diskOf = (path: string): string => path.split("|")[1] ?? "";
  return {
    luns,
    faults,
    reservationsOf(node) {
      const port: ScsiPort = {
        generics: (disk) => Promise.resolve([`sg-${node}|${disk}`]),
        send: (path, command) => {
          const fault = faults.get(path.replace(/^sg-/, ""));
          if (fault === "hang") return new Promise(() => undefined);
          if (fault === "error") return Promise.reject(new Error("timed out"));
          const lun = luns.get(diskOf(path));
          if (lun === undefined) return Promise.reject(new Error(`there is no ${diskOf(path)}`));
          return lun.port(path).send(path, command);
        },
      };
      return openReservations(port);
    },
  };
}
