/**
 * What the cluster says of itself, from `crm_mon --output-as=xml` (Pacemaker 2.1 on Debian 12, 3.0 on Debian 13; the
 * formats are /usr/share/pacemaker/api/crm_mon-*.rng there). Pure.
 */
import { descendants, elementsOf, firstOf, parseXml, type XmlElement } from "./xml.ts";

export interface ClusterState {
  /** The node that decides; undefined while none is chosen. */
  readonly dc: string | undefined;
  readonly quorum: boolean;
  /** undefined: the cluster does not say. */
  readonly fencingEnabled: boolean | undefined;
  readonly maintenance: boolean;
  readonly nodes: readonly ClusterNode[];
  readonly resources: readonly ClusterResource[];
  readonly failures: readonly FailedAction[];
  /** Newest first, as the cluster lists them. */
  readonly fencings: readonly Fencing[];
}

export interface ClusterNode {
  readonly name: string;
  readonly online: boolean;
  readonly standby: boolean;
  readonly maintenance: boolean;
  /** Joining: its membership is known, its resources are not. */
  readonly pending: boolean;
  /** Nobody knows what it does: it waits for being fenced, or is being fenced. */
  readonly unclean: boolean;
  readonly shutdown: boolean;
  /** Resources that run there. */
  readonly running: number;
}

export interface ClusterResource {
  readonly id: string;
  /** E.g. "ocf:holdfast:fileserver". */
  readonly agent: string;
  /** "Started", "Stopped", "Starting" …, as Pacemaker calls it. */
  readonly role: string;
  readonly active: boolean;
  readonly blocked: boolean;
  readonly failed: boolean;
  /** Pacemaker acts on it. */
  readonly managed: boolean;
  /** No longer configured, but still there. */
  readonly orphaned: boolean;
  /** What is being done to it, e.g. "Starting". */
  readonly pending: string | undefined;
  readonly targetRole: string | undefined;
  /** Where it is active; more than one is a disaster for a fileserver. */
  readonly nodes: readonly string[];
}

export interface FailedAction {
  readonly resource: string;
  readonly task: string;
  readonly node: string;
  /** OCF exit code. */
  readonly code: number;
  readonly reason: string;
  /** As the cluster writes it. */
  readonly when: string;
}

export interface Fencing {
  readonly target: string;
  /** "reboot", "off" or "on". */
  readonly action: string;
  readonly status: "success" | "failed" | "pending";
  /** The node that carried it out; undefined while nobody has. */
  readonly by: string | undefined;
  /** As the cluster writes it; undefined while it is under way. */
  readonly completed: string | undefined;
  readonly reason: string | undefined;
}

/** Throws a Fault "xml-invalid". */
export function parseClusterState(text: string): ClusterState {
  const root = parseXml(text, "the answer of crm_mon");
  const summary = firstOf(root, "summary");
  const dc = firstOf(summary, "current_dc");
  const options = firstOf(summary, "cluster_options");
  const fencing = options?.attributes["stonith-enabled"];
  return {
    dc: isTrue(dc, "present") ? dc?.attributes["name"] : undefined,
    quorum: isTrue(dc, "with_quorum"),
    fencingEnabled: fencing === undefined ? undefined : fencing === "true",
    maintenance: isTrue(options, "maintenance-mode"),
    nodes: elementsOf(firstOf(root, "nodes"), "node").map(readNode),
    resources: descendants(firstOf(root, "resources"), "resource").map(readResource),
    failures: elementsOf(firstOf(root, "failures"), "failure").map(readFailure),
    fencings: elementsOf(firstOf(root, "fence_history"), "fence_event").map(readFencing),
  };
}

function isTrue(of: XmlElement | undefined, name: string): boolean {
  return of?.attributes[name] === "true";
}

function readNode(node: XmlElement): ClusterNode {
  return {
    name: node.attributes["name"] ?? "",
    online: isTrue(node, "online"),
    standby: isTrue(node, "standby") || isTrue(node, "standby_onfail"),
    maintenance: isTrue(node, "maintenance"),
    pending: isTrue(node, "pending"),
    unclean: isTrue(node, "unclean"),
    shutdown: isTrue(node, "shutdown"),
    running: Number(node.attributes["resources_running"] ?? "0") || 0,
  };
}

function readResource(resource: XmlElement): ClusterResource {
  const { id = "", resource_agent: agent = "", role = "", pending, target_role: targetRole } = resource.attributes;
  return {
    id,
    agent,
    role,
    active: isTrue(resource, "active"),
    blocked: isTrue(resource, "blocked"),
    failed: isTrue(resource, "failed"),
    managed: isTrue(resource, "managed"),
    // Renamed in the versions after 3.0.
    orphaned: isTrue(resource, "orphaned") || isTrue(resource, "removed"),
    pending,
    targetRole,
    nodes: elementsOf(resource, "node").map((node) => node.attributes["name"] ?? ""),
  };
}

function readFailure(failure: XmlElement): FailedAction {
  const { op_key: key = "", id = "", task = "", node = "", exitreason = "", exitstatus = "" } = failure.attributes;
  const name = key === "" ? id : key;
  return {
    // home_monitor_10000
    resource: name.replace(/_[a-z-]+_[0-9]+$/, ""),
    task: task === "" ? (/_([a-z-]+)_[0-9]+$/.exec(name)?.[1] ?? "") : task,
    node,
    code: Number(failure.attributes["exitcode"] ?? "1"),
    reason: exitreason === "" ? exitstatus : exitreason,
    when: failure.attributes["last-rc-change"] ?? "",
  };
}

function readFencing(event: XmlElement): Fencing {
  const { target = "", action = "", status = "", delegate, completed, "exit-reason": reason } = event.attributes;
  return {
    target,
    action,
    status: status === "success" || status === "pending" ? status : "failed",
    by: delegate === undefined || delegate === "" ? undefined : delegate,
    completed,
    reason,
  };
}

/** The one node where the resource is, undefined where it is on none or on several. */
export function placeOf(state: ClusterState, resource: string): string | undefined {
  const found = state.resources.find((each) => each.id === resource);
  const [only, ...more] = found?.active === true ? found.nodes : [];
  return more.length === 0 ? only : undefined;
}
