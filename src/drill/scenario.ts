/** What a scenario is, and what it is told. */
import type { DrillDocument } from "./document.ts";
import type { FaultDocument, FaultGroup, Load } from "./faults/fault-words.ts";
import type { Measured, World } from "./measure.ts";
import type { Family, Loss, Protocol } from "./names.ts";
import type { FileserverTarget } from "./placement.ts";

export interface DrillSettings {
  /** The fileserver that the fault is for. */
  readonly fileserver: FileserverTarget;
  /** All others of the cluster. */
  readonly others: readonly FileserverTarget[];
  readonly nodes: readonly [string, string];
  readonly client: string;
  /** All that the drill may use, `client` first. */
  readonly clients: readonly string[];
  /** Of a scenario with `protocolsTogether` the first of `protocols`. */
  readonly protocol: Protocol;
  readonly protocols: readonly Protocol[];
  readonly family: Family;
  readonly runs: number;
  readonly seed: number;
  readonly treeFiles?: number;
  readonly intervalMs?: number;
  readonly settleMs?: number;
  readonly jitterMs?: number;
  readonly mountRoot?: string;
  /** Self-test of the oracles: a loss that the drill causes itself and must find. */
  readonly inject?: Loss;
  /** Of fault drills: another load than the document's own. */
  readonly load?: Load;
  /** `crash-points` only: these step ids and no others. */
  readonly steps?: readonly string[];
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
  /** How many client machines it needs; 1 where it is not said. */
  readonly clients?: number;
  /** It mounts over all protocols at once; others run once for each. */
  readonly protocolsTogether?: boolean;
  /** It breaks things and leaves the cluster to itself: somebody has to decide there. */
  readonly needsEngine?: boolean;
  /** It can cause losses to test its oracles. */
  readonly injects?: boolean;
  /** How often it runs when nobody says; 1 where it is not said. */
  readonly runsUnlessSaid?: number;
  /** Under which heading it is listed; faults have their own. */
  readonly group?: ScenarioGroup;
  /** Of a fault: all of it. */
  readonly fault?: FaultDocument;
}

export type ScenarioGroup = "moves" | "locks" | "checks" | FaultGroup;
