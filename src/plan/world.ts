/** What the planner looks at, put in order. */
import { specHash } from "../model/derive.ts";
import type { NodeObservation, ObservedCluster } from "../model/observed.ts";
import type { DirectorSpec } from "../model/director-spec.ts";
import type { FileserverSpec, Spec } from "../model/spec.ts";

/** Everything that the parts of the planner look at. */
export interface World {
  readonly desired: Spec;
  readonly generation: string;
  /** The spec's nodes in its order; a node that was not looked at stands there as unknown. */
  readonly nodes: readonly NodeObservation[];
  /** Nodes that were looked at and are not in the spec. */
  readonly strangers: readonly NodeObservation[];
  /** Nodes that some node's spec names, that the new spec does not have, and that were not looked at. */
  readonly forgotten: readonly string[];
  /** Nodes of which the cluster, with a quorum, knows that they are down: nothing runs there. */
  readonly down: ReadonlySet<string>;
  /** Fileservers that somebody keeps stopped in the cluster, or out of its hands. */
  readonly heldBack: ReadonlySet<string>;
  /** The fileserver as the nodes know it: from the newest known spec on any node, undefined where none has it. */
  readonly installed: ReadonlyMap<string, FileserverSpec>;
  /** Directors by that same spec, by the name of the fileserver. */
  readonly installedDirectors: ReadonlyMap<string, readonly DirectorSpec[]>;
}

export function makeWorld(desired: Spec, observed: ObservedCluster): World {
  const found = new Map(observed.nodes.map((node) => [node.node, node]));
  const names = new Set<string>(desired.cluster.nodes.map((node) => node.name));
  const nodes = desired.cluster.nodes.map((node): NodeObservation => {
    const nothing = { known: false, why: "it was not looked at" } as const;
    return found.get(node.name) ?? { node: node.name, agent: nothing, spec: nothing, fileservers: nothing };
  });
  const strangers = observed.nodes.filter((node) => !names.has(node.node));
  const all = [...nodes, ...strangers];
  return {
    desired,
    generation: specHash(desired),
    nodes,
    strangers,
    forgotten: forgottenNodes(all),
    down: downNodes(observed),
    heldBack: (observed.cluster?.known === true ? observed.cluster.value?.heldBack : undefined) ?? new Set(),
    ...installedFileservers(all),
  };
}

/** Not in sight is not down: a node that waits to be fenced may do anything. */
function downNodes(observed: ObservedCluster): ReadonlySet<string> {
  const cluster = observed.cluster?.known === true ? observed.cluster.value : undefined;
  if (cluster === undefined || !cluster.quorum) return new Set();
  return new Set(cluster.nodes.flatMap(({ name, online, unclean }) => (online || unclean ? [] : [name])));
}

function forgottenNodes(nodes: readonly NodeObservation[]): readonly string[] {
  const looked = new Set(nodes.map((node) => node.node));
  const named = nodes.flatMap((node) =>
    node.spec.known && node.spec.value !== undefined ? node.spec.value.spec.cluster.nodes.map((each) => each.name) : [],
  );
  return [...new Set<string>(named)].filter((name) => !looked.has(name));
}

/** A serving node's own spec is what the fileserver really runs by, so it counts before the others'. */
function installedFileservers(nodes: readonly NodeObservation[]): Pick<World, "installed" | "installedDirectors"> {
  const installed = new Map<string, FileserverSpec>();
  const installedDirectors = new Map<string, readonly DirectorSpec[]>();
  for (const node of nodes) {
    if (!node.spec.known || node.spec.value === undefined) continue;
    for (const fileserver of node.spec.value.spec.fileservers) {
      if (installed.has(fileserver.name) && !serves(node, fileserver.name)) continue;
      installed.set(fileserver.name, fileserver);
      installedDirectors.set(fileserver.name, node.spec.value.spec.directors);
    }
  }
  return { installed, installedDirectors };
}

function serves(node: NodeObservation, name: string): boolean {
  return (
    node.fileservers.known && node.fileservers.value.some((each) => each.name === name && each.state === "serving")
  );
}
