/** What the cluster's own word means for a move, and for a fileserver that is not served. Pure. */
import { Fault } from "../base/fault.ts";
import type { ClusterAnswer, EngineNode, EngineResource } from "../wire/cluster.ts";

export interface EngineCourse {
  /** Absent where nobody serves it. */
  readonly from?: string;
  readonly to: string;
}

function refused(code: string, what: string, remedy: string): Fault {
  return new Fault({ kind: "refused", code, what: `${what}; nothing was changed`, remedy });
}

/** Where a move would go. Throws where the cluster would not make it, with the reason. */
export function chooseCourse(cluster: ClusterAnswer, fileserver: string, target: string | undefined): EngineCourse {
  const resource = movable(cluster, fileserver);
  const [from, ...more] = resource.active ? resource.nodes : [];
  if (more.length > 0)
    throw refused("served-twice", `${fileserver} is active on ${resource.nodes.join(" and ")}`, "look: crm_mon -1");
  const source = from === undefined ? {} : { from };
  if (target !== undefined) {
    if (target === from) throw refused("already-serving", `${target} serves it already`, "name another node");
    const node = cluster.nodes.find(({ name }) => name === target);
    const reason = node === undefined ? "is not known to the cluster" : cannotServe(node);
    if (reason !== undefined)
      throw refused("target-not-ready", `${target} ${reason}`, "name another node: holdfast status tells which can");
    return { ...source, to: target };
  }
  const [only, ...others] = cluster.nodes.filter((node) => node.name !== from && cannotServe(node) === undefined);
  if (only === undefined)
    throw refused("target-not-ready", "no other node can serve it", "bring one back: holdfast status tells why not");
  if (others.length === 0) return { ...source, to: only.name };
  throw new Fault({
    kind: "invalid",
    code: "target-not-named",
    what: "several nodes could take it",
    remedy: `name one of: ${[only, ...others].map(({ name }) => name).join(", ")}`,
  });
}

function movable(cluster: ClusterAnswer, fileserver: string): EngineResource {
  const resource = cluster.resources.find(({ id }) => id === fileserver);
  if (!cluster.quorum)
    throw refused("no-quorum", "the cluster has no quorum, and starts nothing", "bring nodes back: holdfast status");
  if (resource === undefined)
    throw refused("not-in-cluster", `the cluster has no resource ${fileserver}`, "put it there: holdfast apply");
  if (cluster.maintenance || !resource.managed)
    throw refused("unmanaged", `the cluster does not act on ${fileserver}`, "end its maintenance mode first");
  if (isStopped(resource))
    throw refused("stopped", `${fileserver} is to be stopped`, `crm_resource -r ${fileserver} -m -d target-role`);
  const unclean = cluster.nodes.filter((node) => node.unclean && resource.nodes.includes(node.name));
  if (unclean.length > 0)
    throw refused("node-unclean", `${names(unclean)} has to be fenced first`, "wait for it: holdfast status");
  return resource;
}

function isStopped({ targetRole }: EngineResource): boolean {
  return targetRole?.toLowerCase() === "stopped";
}

function names(nodes: readonly EngineNode[]): string {
  return nodes.map(({ name }) => name).join(", ");
}

/** Undefined where the cluster would start something on the node. */
export function cannotServe(node: EngineNode): string | undefined {
  if (node.unclean) return "is unclean: it has to be fenced";
  if (!node.online) return "is offline";
  if (node.pending) return "is still joining the cluster";
  if (node.standby) return "is in standby";
  if (node.maintenance) return "is in maintenance";
  return undefined;
}

/** Why the cluster does not have it served; empty where it says nothing against it. */
export function whyNotServed(cluster: ClusterAnswer, fileserver: string): readonly string[] {
  const resource = cluster.resources.find(({ id }) => id === fileserver);
  const unclean = cluster.nodes.filter((node) => node.unclean);
  const failures = cluster.failures.filter((failure) => failure.resource === fileserver);
  const failedFencings = unclean.flatMap(({ name }) => {
    const last = cluster.fencings.find((fencing) => fencing.target === name);
    if (last === undefined || last.status === "success") return [];
    const by = last.by === undefined ? "" : ` by ${last.by}`;
    return [`the fencing of ${name}${by} is ${last.status}${last.reason === undefined ? "" : `: ${last.reason}`}`];
  });
  return [
    ...(cluster.quorum ? [] : ["the cluster has no quorum: it starts nothing"]),
    ...(cluster.fencingEnabled === false ? ["fencing is switched off (stonith-enabled=false)"] : []),
    ...unclean.map(({ name }) => `${name} is unclean: nothing of it is started elsewhere before it is fenced`),
    ...failedFencings,
    ...(resource === undefined ? ["the cluster has no resource for it: holdfast apply"] : []),
    ...(resource !== undefined && isStopped(resource) ? ["it is to be stopped (target-role)"] : []),
    ...(cluster.maintenance || resource?.managed === false ? ["the cluster does not act on it (maintenance)"] : []),
    ...(resource?.blocked === true ? ["the cluster is blocked on it: a stop failed, and could not be fenced"] : []),
    ...(resource?.pending === undefined || resource.pending === "" ? [] : [`${resource.pending} is under way`]),
    ...failures.map(({ task, node, reason, when }) => `${task} failed on ${node} (${when}): ${reason}`),
    ...cluster.nodes.flatMap((node) => {
      const reason = cannotServe(node);
      return reason === undefined || node.unclean ? [] : [`${node.name} ${reason}`];
    }),
  ];
}
