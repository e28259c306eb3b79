/**
 * The plan: what `apply` would do, in order, as data. The executor makes no choices; whoever reads the plan has read
 * everything that will happen. The report says what is not in it, and why.
 */

import type { FileName } from "./design.ts";

export interface Plan {
  /** specHash of the spec that it leads to. */
  readonly generation: string;
  /** One more than that of any apply before, as far as it was seen. Nodes refuse a plan that is not newer than what they have. */
  readonly number: number;
  /** In the order in which they are to be carried out; the first that fails ends the run. */
  readonly actions: readonly Action[];
}

export type Action =
  | DirectorAction
  | NodeAction
  | SystemAction
  | ClusterAction
  | VolumeAction
  | FileserverAction
  | MoveAction;

/** What is done to a node. */
export interface NodeAction {
  readonly kind: "install-agent" | "start-agent" | "write-spec" | "reload-agent" | "retire-node";
  readonly node: string;
  readonly because: string;
}

/** What is done to a node's system. */
export type SystemAction =
  | { readonly kind: "mask-units"; readonly node: string; readonly units: readonly string[]; readonly because: string }
  | {
      readonly kind: "install-packages";
      readonly node: string;
      readonly packages: readonly string[];
      readonly because: string;
    }
  | { readonly kind: "set-system-id"; readonly node: string; readonly because: string }
  | { readonly kind: "put-program"; readonly node: string; readonly version: string; readonly because: string }
  | { readonly kind: "write-file"; readonly node: string; readonly file: FileName; readonly because: string }
  | {
      readonly kind: "put-secrets";
      readonly node: string;
      readonly file: string;
      readonly devices: readonly string[];
      readonly because: string;
    };

/** What is done for directors; `node` is the machine. Packages, program and spec get there as they get to nodes. */
export type DirectorAction =
  | {
      /** One secret for a director and the nodes: from the machine that has it, or made anew. */
      readonly kind: "share-director-secret";
      readonly node: string;
      readonly file: string;
      readonly from: string | undefined;
      readonly to: readonly string[];
      readonly because: string;
    }
  | {
      readonly kind: "write-director-files";
      readonly node: string;
      readonly files: readonly string[];
      readonly because: string;
    }
  | {
      /** All are enabled; those that run by what has changed begin anew. */
      readonly kind: "start-director";
      readonly node: string;
      readonly units: readonly string[];
      readonly restart: readonly string[];
      /** Left on the machine when they have started: by what. */
      readonly stamp: string;
      readonly because: string;
    };

/** What is done to the cluster as a whole; `node` is where it is done. */
export type ClusterAction =
  | {
      /** One secret for all: from the node that has it, or made anew. */
      readonly kind: "share-authkey";
      readonly node: string;
      readonly from: string | undefined;
      readonly to: readonly string[];
      readonly because: string;
    }
  | { readonly kind: "set-up-witness"; readonly node: string; readonly witness: string; readonly because: string }
  | { readonly kind: "start-cluster"; readonly node: string; readonly because: string }
  | { readonly kind: "reload-corosync"; readonly node: string; readonly because: string }
  | {
      /** Out of Pacemaker's configuration, when it is out of the ring. */
      readonly kind: "forget-node";
      readonly node: string;
      readonly gone: string;
      readonly because: string;
    }
  | {
      readonly kind: "write-cib";
      readonly node: string;
      /** What of it changes, in words; empty where the cluster does not run yet. */
      readonly differences: readonly string[];
      readonly because: string;
    }
  | {
      /** Waits until every fileserver is served. */
      readonly kind: "settle";
      readonly node: string;
      readonly fileservers: readonly string[];
      readonly because: string;
    };

/** A volume that does not exist yet is made; nothing that carries a signature is touched without a consent by name. */
export interface VolumeAction {
  readonly kind: "make-volume";
  readonly node: string;
  readonly fileserver: string;
  readonly volume: string;
  /** VG/LV, or the disk. */
  readonly device: string;
  /** What the volume group is made of; empty where it is there, or where the device is a disk. */
  readonly disks: readonly string[];
  readonly filesystem: "xfs" | "ext4";
  /** What is overwritten, by consent. */
  readonly overwrites: readonly string[];
  readonly because: string;
}

/** What is done to one fileserver on one node. */
export interface FileserverAction {
  readonly kind: "takeover" | "release" | "restart" | "reload-exports";
  readonly fileserver: string;
  readonly node: string;
  readonly because: string;
}

/** Released on `node`, then taken over on `to`. */
export interface MoveAction {
  readonly kind: "move";
  readonly fileserver: string;
  readonly node: string;
  readonly to: string;
  readonly because: string;
}

export interface Report {
  /** What clients of each fileserver would feel, by name. Fileservers about which nothing is planned are in it too. */
  readonly effects: readonly Effect[];
  /** What the plan leaves undone because it cannot be known or must not be done. Empty: the plan is complete. */
  readonly blocked: readonly Note[];
  /** What is good to know. */
  readonly notes: readonly Note[];
}

export interface Effect {
  readonly fileserver: string;
  readonly feel: Feel;
  /** Changes of the spec that lead to it, e.g. "nfs". */
  readonly changes: readonly string[];
  /** What a client would lose beyond the pause; empty where nothing. */
  readonly losses: readonly string[];
}

/** What clients notice, from nothing to everything. */
export type Feel = "nothing" | "begins" | "pause" | "ends" | "unknown";

export interface Note {
  /** Stable, kebab-case. */
  readonly code: NoteCode;
  /** The node or fileserver that it is about. */
  readonly about: string;
  readonly what: string;
  readonly remedy?: string;
}

export type NoteCode =
  | "node-unknown"
  | "place-unknown"
  | "served-twice"
  | "not-settled"
  | "no-node"
  | "device-held"
  | "other-cluster"
  | "not-preferred"
  | "node-forgotten"
  | "director-unknown"
  | "director-left"
  | "director-secret-differs"
  | "director-restarts"
  | "node-name-differs"
  | "os-not-supported"
  | "nfs-server-active"
  | "cluster-differs"
  | "authkey-differs"
  | "system-id-taken"
  | "secrets-missing"
  | "secrets-not-private"
  | "volume-missing"
  | "disk-missing"
  | "device-signed"
  | "device-in-use"
  | "cib-unknown"
  | "cib-refused"
  | "no-quorum"
  | "clock-not-synchronised"
  | "clock-differs"
  | "name-not-resolved"
  | "firewall-there"
  | "auto-activation"
  | "newer-program"
  | "held-back";
