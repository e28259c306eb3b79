/**
 * What the spec comes to on a node, as values: texts of files, names of packages, the change of Pacemaker's
 * configuration. The planner compares it with what was observed; how each text is made is not its business.
 */
import type { Observed } from "../base/observed.ts";

export interface Design {
  /** The version that nodes are to run. */
  readonly version: string;
  readonly packages: readonly string[];
  /** The stock services that would take ports and files away from fileservers. */
  readonly maskedUnits: readonly string[];
  /** The same on every node, in the order in which they are written. */
  readonly files: readonly DesignedFile[];
  readonly pacemaker: PacemakerDesign | undefined;
  /** One entry per machine of a director. */
  readonly directors?: readonly DesignedDirector[];
  /** Devices that may be formatted although they carry something: by path, or VG/LV. */
  readonly consents: readonly string[];
}

export interface DesignedDirector {
  readonly director: string;
  readonly machine: string;
  readonly packages: readonly string[];
  /** In the order in which they are written. */
  readonly files: readonly DirectorFile[];
  /** In the order in which they are started. */
  readonly units: readonly string[];
  /** The file that it shares with the nodes; undefined where no agent is asked. */
  readonly secret: string | undefined;
}

export interface DirectorFile {
  readonly path: string;
  readonly mode: number;
  readonly text: string;
  /** The unit that has to begin anew with another text. */
  readonly unit: string;
}

export type FileName =
  | "resource-agent"
  | "fence-agent"
  | "agent-unit"
  | "agent-env"
  | "pacemaker-order"
  | "corosync-conf";

export interface DesignedFile {
  readonly name: FileName;
  readonly path: string;
  readonly mode: number;
  readonly text: string;
}

export interface PacemakerDesign {
  /** Cluster name of every corosync.conf that was found, by node; without Debian's example. */
  readonly foundClusters: ReadonlyMap<string, string>;
  /** Nodes that have Debian's example of a corosync.conf, and may be running by it. */
  readonly stockNodes: ReadonlySet<string>;
  /** What the configuration lacks; unknown: a cluster runs and did not say. */
  readonly cib: Observed<CibPlan>;
  /** Fence devices that take secrets, and the file that they come from. */
  readonly secrets: readonly { readonly file: string; readonly devices: readonly string[] }[];
  readonly witness: string | undefined;
}

export type CibPlan =
  | { readonly ok: true; readonly differences: readonly string[] }
  | { readonly ok: false; readonly refusals: readonly { readonly what: string; readonly remedy: string }[] };
