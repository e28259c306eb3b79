/** What an agent says of a cluster of n1 and n2 in which all is well; a test changes what it is about. */
import type { ClusterAnswer, EngineNode, EngineResource } from "../src/wire/cluster.ts";

export function engineNode(name: string, change: Partial<EngineNode> = {}): EngineNode {
  return { name, online: true, standby: false, maintenance: false, pending: false, unclean: false, ...change };
}

/** The fileserver home, served by n1. */
export function engineResource(change: Partial<EngineResource> = {}): EngineResource {
  return {
    id: "home",
    agent: "ocf:holdfast:fileserver",
    role: "Started",
    active: true,
    blocked: false,
    failed: false,
    managed: true,
    nodes: ["n1"],
    ...change,
  };
}

export function clusterAnswer(change: Partial<ClusterAnswer> = {}): ClusterAnswer {
  return {
    quorum: true,
    fencingEnabled: true,
    maintenance: false,
    nodes: [engineNode("n1"), engineNode("n2")],
    resources: [engineResource()],
    failures: [],
    fencings: [],
    ...change,
  };
}
