/**
 * The plan: what `apply` would do, in order, as data. The executor makes no choices; whoever reads the plan has read
 * everything that will happen. The report says what is not in it, and why.
 */

export interface Plan {
  /** specHash of the spec that it leads to. Nodes refuse a plan older than what they have. */
  readonly generation: string;
  /** In the order in which they are to be carried out; the first that fails ends the run. */
  readonly actions: readonly Action[];
}

export type Action = NodeAction | FileserverAction | MoveAction;

/** What is done to a node. */
export interface NodeAction {
  readonly kind: "install-agent" | "start-agent" | "write-spec" | "reload-agent" | "retire-node";
  readonly node: string;
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
  | "engine-not-there"
  | "directors-not-there"
  | "other-cluster"
  | "not-preferred"
  | "node-forgotten";
