/**
 * What was found on the nodes, for the planner and for `status`. Every part can be unknown by itself, with the reason,
 * and unknown is never read as "not there".
 */
import type { Observed } from "../base/observed.ts";
import type { Spec } from "./spec.ts";
import type { ClusterObservation, SystemObservation } from "./system-observed.ts";

export interface ObservedCluster {
  /** One entry per node that was looked at: the spec's nodes, and others known to have carried fileservers. */
  readonly nodes: readonly NodeObservation[];
  /** What Pacemaker says; undefined inside where it runs nowhere, absent where nobody asked. */
  readonly cluster?: Observed<ClusterObservation | undefined>;
  /** The machines of the spec's directors; absent where nobody asked. */
  readonly directors?: readonly DirectorObservation[];
}

export interface DirectorObservation {
  readonly machine: string;
  readonly system: Observed<SystemObservation>;
  /** Generation of the spec that lies there; undefined where there is none, or none of this release. */
  readonly generation: string | undefined;
}

export interface NodeObservation {
  readonly node: string;
  readonly agent: Observed<AgentObservation>;
  /** /etc/holdfast/holdfast.yaml on the node; `undefined` inside where there is none. */
  readonly spec: Observed<InstalledSpec | undefined>;
  /** Fileservers of which anything exists on the node: serving, half-way, or warm. Known only from a running agent. */
  readonly fileservers: Observed<readonly FileserverObservation[]>;
  /** Absent where nobody asked. */
  readonly system?: Observed<SystemObservation>;
}

export type AgentObservation =
  | { readonly state: "absent" }
  | { readonly state: "stopped" }
  | {
      readonly state: "running";
      readonly version: string;
      /** Generation (specHash) of the spec that the agent works by; undefined while it has none. */
      readonly generation: string | undefined;
    };

export interface InstalledSpec {
  /** specHash of the spec. */
  readonly generation: string;
  readonly spec: Spec;
}

export interface FileserverObservation {
  readonly name: string;
  readonly state: FileserverState;
}

/**
 * What is true of a fileserver on one node; the words are those of failover/machine.ts. "partial": half of it is there.
 * "unknown": the agent answered, but could not look.
 */
export type FileserverState =
  | "absent"
  | "warming"
  | "warm"
  | "taking-over"
  | "serving"
  | "releasing"
  | "partial"
  | "unknown";

/** A node of which nothing could be learnt. */
export function unknownNode(node: string, why: string): NodeObservation {
  const nothing = { known: false, why } as const;
  return { node, agent: nothing, spec: nothing, fileservers: nothing };
}
