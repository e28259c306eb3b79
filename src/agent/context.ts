/** What the steps of one fileserver work with. */
import type { Commands } from "../system/commands.ts";
import type { Clock } from "../system/clock.ts";
import { defined } from "../base/assert.ts";
import { Fault } from "../base/fault.ts";
import type { Observed } from "../base/observed.ts";
import type { Inheritance } from "../failover/grace.ts";
import type { Ledger, Waiting } from "../failover/ledger.ts";
import { UNWATCHED, type LockMemory } from "../failover/lock-memory.ts";
import type { VolumeGroup } from "../lvm/volume-group.ts";
import type { Engine, FileserverSpec, VolumeSpec } from "../model/spec.ts";
import type { Reservations } from "../scsi/reservation.ts";
import type { Directors } from "./directors.ts";
import type { HolderClient } from "./holder-client.ts";

export interface Node {
  readonly name: string;
  readonly cluster: string;
  /**
   * standalone: a node is registered on a LUN only while it serves from it, and holds the reservation then. pacemaker: it
   * is registered on all of them from its boot until it is fenced, and who holds the reservation means nothing.
   */
  readonly engine: Engine;
  readonly commands: Commands;
  readonly reservations: Reservations;
  /** Programs on the node that were given up and have not ended; absent where none can be. */
  readonly overdue?: () => readonly string[];
  readonly clock: Clock;
  /** Multiplies every bound: 1 on real machines, more under emulation. */
  readonly timeScale: number;
  /** This node's persistent reservation key, and who the others are. */
  readonly reservationKey: string;
  readonly nodeOfKey: (key: string) => string | undefined;
  /** Reservation keys of the other nodes, in the spec's order; absent where nobody is fenced. */
  readonly otherKeys?: readonly string[];
  /** Absent where no director stands before any fileserver. */
  readonly directors?: Directors;
  /** The lock manager of this fileserver has stopped: the others' may have lost a wake-up (lockd-waker.ts). */
  readonly lockdStopped?: (fileserver: string) => void;
  readonly log: (line: string) => void;
}

/** Found by looking, before a takeover begins; every value is looked up again for every run. */
export interface VolumeFacts {
  /** The disks whose reservation guards the volume. */
  readonly disks: readonly string[];
  /** Owner and logical volumes of the group; undefined for a plain disk. */
  readonly group?: VolumeGroup;
}

export interface WatchEnd {
  /** Of the v3 locks. */
  readonly lockMemory: LockMemory;
  /** Graces that had not ended. */
  readonly waiting: Waiting;
}

/** Not watched is not known: whoever was waited for before may still be, and no lock is known to be passing. */
export const NOTHING_WATCHED: WatchEnd = { lockMemory: UNWATCHED, waiting: { v3: true, v4: true } };

export interface StepContext {
  readonly node: Node;
  /** Absent until the namespaces exist. */
  readonly holder: () => HolderClient;
  /** A living process inside the namespaces. */
  readonly insidePid: () => number;
  readonly volumeFacts: Map<string, VolumeFacts>;
  readonly systemId: string;
  /** The node that served before has just confirmed its release to whoever asked for this takeover. */
  readonly handedOver: boolean;
  /** The network was asked for the addresses moments ago (`prepare`), and only the fileserver itself answered. */
  readonly addressesProbed: boolean;
  /** What steps find out for later ones. */
  readonly found: {
    ledger: Observed<Ledger | undefined>;
    inherited?: Inheritance;
    /** The ledger's entry with which this takeover opens; undefined where there is none. */
    reopened?: Ledger | undefined;
    /** Nobody has to reclaim a v3 lock. */
    nobodyToNotify?: boolean;
    lastEntry?: Ledger;
    /** Number of this takeover; only behind a director. */
    term?: number;
  };
  /** Ends the watch, while clients are still served or nothing is let in any more; what it knew at its end, as often as it is asked. */
  readonly endWatch: () => Promise<WatchEnd>;
  /** Set by an operator's word that a node is down: its reservation may be taken. */
  readonly fencedKey?: string;
}

export function scaled(node: Node, durationMs: number): number {
  return durationMs * node.timeScale;
}

/** What was looked up of a volume before the run; a step without it does nothing. */
export function factsOf(fileserver: FileserverSpec, volume: VolumeSpec, context: StepContext): VolumeFacts {
  const facts = context.volumeFacts.get(volume.name);
  if (facts === undefined) throw unknownVolume(fileserver, volume.name);
  return facts;
}

/** Only for volumes that lie in a volume group: the graphs have such steps for no others. */
export function groupOf(fileserver: FileserverSpec, volume: VolumeSpec, context: StepContext): VolumeGroup {
  const { group } = factsOf(fileserver, volume, context);
  return defined(group, `volume ${volume.name} of ${fileserver.name} lies in no volume group`);
}

export function unknownVolume(fileserver: FileserverSpec, volume: string): Fault {
  return new Fault({
    code: "volume-not-looked-at",
    what: `volume ${volume} of ${fileserver.name} was not looked at before the run`,
  });
}
