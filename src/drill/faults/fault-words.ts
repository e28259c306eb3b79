/**
 * A fault drill is a document: what it stands for, what is done in which order, and what must hold. These are its words;
 * `catalogue.ts` has the documents, `mechanism.ts` the one way in which each word is carried out. Pure.
 */

import { unreachable } from "../../base/assert.ts";

/** Of the fileserver that the drill is about, when it begins. `both`: the two. `director`: of its directors, the one with the address. */
export type Place = "serving" | "standby" | "both" | "storage" | "director";

export type NetworkName = "lan" | "ring" | "san";
export type Direction = "in" | "out" | "both";

/** What is done inside a machine; each has a script, and most a script that undoes it (inside-scripts.ts). */
export type InsideDeed =
  | "stop-nfsd"
  | "kill-agent"
  | "kill-mountd"
  | "kill-statd"
  | "fill-volume"
  | "clock-forward"
  | "clock-back"
  | "press-memory"
  | "break-fencing";

/** Which node is to have it: another than before, the same, or whichever. */
export type ServedBy = "other" | "same" | "any";

export type FaultStep =
  | { readonly do: "power-off" | "power-on" | "freeze" | "thaw" | "panic" | "reset"; readonly at: Place }
  /** The switch drops frames; `in` is towards the machine. */
  | { readonly do: "cut"; readonly at: Place; readonly networks: readonly NetworkName[]; readonly direction: Direction }
  /** Networks and disks are as they should be again. */
  | { readonly do: "heal" }
  /** The disk behind the fileserver's volume. */
  | { readonly do: "slow-disk"; readonly iops: number }
  | { readonly do: "fail-disk"; readonly operations: readonly ("read" | "write" | "flush")[] }
  | { readonly do: "inside"; readonly at: Place; readonly deed: InsideDeed }
  | { readonly do: "undo"; readonly deed: InsideDeed }
  | { readonly do: "move" | "move-during-move" | "standby" }
  /** Nothing for a while; servers are watched. Not scaled: a fault of two seconds lasts two seconds on any machine. */
  | { readonly do: "hold"; readonly durationMs: number }
  /** Until it is served; past the bound the drill has failed. On a real machine; scaled. */
  | { readonly do: "expect-served"; readonly by: ServedBy; readonly withinMs: number }
  /** Until every daemon of the fileserver runs where it is served, and nfsd has threads. */
  | { readonly do: "expect-daemons"; readonly withinMs: number }
  /** Until every director sends packets to the node that serves, and exactly one has the address. */
  | { readonly do: "expect-directors"; readonly withinMs: number }
  /** Nobody may serve it for so long (scaled), and the reason must be shown. */
  | { readonly do: "expect-nobody"; readonly durationMs: number };

export interface Holds {
  /** The longest that any operation of a client may wait, on a real machine; scaled. */
  readonly returnsWithinMs: number;
  /** Where the node that was frozen is no longer the one that serves, it may send nothing from the fileserver's address. */
  readonly silentAfterThaw?: boolean;
  /** Errors that applications are right to see, by errno: a full disk is full. */
  readonly allowedErrors?: readonly string[];
  /** Oracles that this fault may turn red, with the reason in the document's `standsFor`. */
  readonly allowedLosses?: readonly ("application-error" | "lost-lock")[];
}

/** One way in which the fault comes. */
export interface FaultVariant {
  readonly name: string;
  readonly steps: readonly FaultStep[];
  readonly holds: Holds;
}

/**
 * What clients do meanwhile. `probes`: one client, one protocol, timed as finely as a planned move is. `locks`: two
 * clients over every protocol together, with 200 locks, a counter under a lock and the stale-read oracle.
 */
export type Load = "probes" | "locks";

export const FAULT_GROUPS = ["machines", "networks", "storage", "fencing", "daemons", "moves", "directors"] as const;
export type FaultGroup = (typeof FAULT_GROUPS)[number];

export interface FaultDocument {
  readonly name: string;
  readonly group: FaultGroup;
  readonly summary: string;
  /** The failure of real life. */
  readonly standsFor: string;
  /** What has to be there. */
  readonly cluster: string;
  /** What must hold, in words; the judge's figures are in each variant's `holds`. */
  readonly mustHold: string;
  readonly load: Load;
  /** Each run takes the next one. */
  readonly variants: readonly [FaultVariant, ...FaultVariant[]];
  /** False: not in a campaign, because what it does to applications is no loss there. */
  readonly inCampaign?: boolean;
  /** The fileserver has to be behind two directors. */
  readonly needsDirectors?: boolean;
  /** Failed actions are cleared before the next run, as an operator does once the cause is gone. */
  readonly clearsFailures?: boolean;
}

/** One fault of a drill: which document, which of its variants. */
export interface FaultCase {
  readonly document: FaultDocument;
  readonly variant: FaultVariant;
}

/** Variant after variant, as often as runs are wanted. */
export function casesOf(document: FaultDocument, runs: number): readonly FaultCase[] {
  const { variants } = document;
  return Array.from({ length: runs }, (_, at) => ({
    document,
    variant: variants[at % variants.length] ?? variants[0],
  }));
}

/** "cut lan and ring of the serving node, in" — for people. */
export function describeStep(step: FaultStep): string {
  switch (step.do) {
    case "cut":
      return `cut ${step.networks.join(" and ")} of ${placeWords(step.at)}${step.direction === "both" ? "" : `, ${step.direction} only`}`;
    case "slow-disk":
      return `the volume's disk takes ${step.iops} requests a second`;
    case "fail-disk":
      return `the volume's disk fails every ${step.operations.join(" and ")}`;
    case "inside":
      return `${step.deed} on ${placeWords(step.at)}`;
    case "undo":
      return `undo ${step.deed}`;
    case "hold":
      return `wait ${step.durationMs / 1000} s`;
    case "expect-served":
      return `served by ${step.by === "any" ? "either node" : `the ${step.by} node`} within ${step.withinMs / 1000} s`;
    case "expect-daemons":
      return `all of its daemons run within ${step.withinMs / 1000} s`;
    case "expect-directors":
      return `every director sends packets there within ${step.withinMs / 1000} s, and one has the address`;
    case "expect-nobody":
      return `served by nobody for ${step.durationMs / 1000} s, with the reason shown`;
    case "heal":
    case "move":
    case "move-during-move":
    case "standby":
      return step.do;
    case "power-off":
    case "power-on":
    case "freeze":
    case "thaw":
    case "panic":
    case "reset":
      return `${step.do} ${placeWords(step.at)}`;
    default:
      return unreachable(step);
  }
}

function placeWords(place: Place): string {
  switch (place) {
    case "both":
      return "both nodes";
    case "storage":
      return "the storage";
    case "director":
      return "the director that has the address";
    case "serving":
    case "standby":
      return `the ${place} node`;
    default:
      return unreachable(place);
  }
}
