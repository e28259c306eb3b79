/** The seam between commands that need to know the nodes and whatever reaches them. */
import { unknownNode, type ObservedCluster } from "../model/observed.ts";
import type { SpecFile } from "./spec-file.ts";

/**
 * Looks at every node of the spec; never rejects for a node that does not answer: such a node is unknown. Where an agent
 * works by another generation than the desired one, its spec is read from the node's /etc/holdfast/holdfast.yaml, since
 * what a change means for clients depends on what was there before.
 */
export type ObserveNodes = (file: SpecFile) => Promise<ObservedCluster>;

/** Every node unknown, for the one reason. */
export function observeNothing(why: string): ObserveNodes {
  return ({ spec }) => Promise.resolve({ nodes: spec.cluster.nodes.map((node) => unknownNode(node.name, why)) });
}
