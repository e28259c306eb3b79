/** `holdfast standby`: takes a node out of service; the cluster moves what it carries. */
import { Fault } from "../base/fault.ts";
import type { Spec } from "../model/spec.ts";
import { readClusterState, standby } from "../pacemaker/commands.ts";
import type { ClusterState } from "../pacemaker/monitor.ts";
import { runChecked, type Commands } from "../system/commands.ts";
import { systemClock, waitFor, type Clock } from "../system/clock.ts";
import type { CliCommand } from "./command.ts";
import { whenFree } from "./half-move.ts";
import { unknownName } from "./move.ts";
import { reachNode, type ReachedNode } from "./reach.ts";
import { FILE_OPTION, fileOption, readSpecFile } from "./spec-file.ts";
import { shellsOf } from "./survey-cluster.ts";

export const STANDBY: CliCommand = {
  words: ["standby"],
  summary: "take a node out of service for maintenance: what it serves moves to other nodes",
  details:
    "The other nodes are prepared first; refused (exit status 3) where none of them can serve. Ends when the node carries nothing.\n" +
    "It stays so over restarts of the node, until `holdfast unstandby NODE`. Only with engine: pacemaker.",
  arguments: [{ name: "node", help: "which one" }],
  options: [FILE_OPTION],
  run: async ({ args, options, io }) => {
    const { spec } = await readSpecFile(fileOption(options));
    const [node = ""] = args;
    refuseWithoutCluster(spec, node);
    const report = await drain({
      spec,
      node,
      clock: systemClock,
      reach: (name) => reachNode(spec, name),
      commandsOf: (name) => shellsOf(spec)(name).commands,
      progress: (line) => io.progress(line),
    });
    io.document({ node, standby: true, moved: report.moved, durationMs: report.durationMs });
    for (const { fileserver, to } of report.moved) io.say(`${fileserver} is served by ${to}`);
    io.say(
      `${node} is out of service and carries nothing (${(report.durationMs / 1000).toFixed(1)} s); back: holdfast unstandby ${node}`,
    );
    return 0;
  },
};

/** Standby is Pacemaker's word; without it nobody would keep a fileserver from being moved there. */
export function refuseWithoutCluster(spec: Spec, node: string): void {
  const names = spec.cluster.nodes.map(({ name }) => name as string);
  if (!names.includes(node)) throw unknownName("node", node, names);
  if (spec.cluster.engine === "pacemaker") return;
  throw new Fault({
    kind: "invalid",
    code: "engine-standalone",
    what: "with engine: standalone a node has no standby: nothing moves there by itself",
    remedy: `move what it serves, one by one: holdfast move FILESERVER NODE`,
  });
}

export interface DrainParts {
  readonly spec: Spec;
  readonly node: string;
  readonly clock: Clock;
  readonly reach: (node: string) => Promise<ReachedNode>;
  readonly commandsOf: (node: string) => Commands;
  readonly progress: (line: string) => void;
}

export interface DrainReport {
  readonly moved: readonly { readonly fileserver: string; readonly to: string }[];
  readonly durationMs: number;
}

const DRAIN_TIMEOUT_MS = 900_000;
const AGENT_INTERVAL_MS = 500;

export async function drain(parts: DrainParts): Promise<DrainReport> {
  const reached = await reachAll(parts);
  try {
    const { state, at } = await askCluster(parts, reached);
    const carried = state.resources.filter(
      ({ id, active, nodes }) => active && nodes.includes(parts.node) && isFileserver(parts.spec, id),
    );
    const able = targets(parts, state);
    if (carried.length > 0) {
      if (able.length === 0)
        throw noTarget(
          parts.node,
          carried.map(({ id }) => id),
        );
      await announce(
        parts,
        reached,
        able,
        carried.map(({ id }) => id),
      );
    }
    const startedMs = parts.clock.monotonicMs();
    await runChecked(parts.commandsOf(at), standby(parts.node, true));
    parts.progress(
      `${parts.node} is in standby; the cluster moves ${carried.length} of ${parts.spec.fileservers.length} fileservers`,
    );
    const moved = await follow(
      parts,
      reached,
      carried.map(({ id }) => id),
      at,
    );
    return { moved, durationMs: Math.round(parts.clock.monotonicMs() - startedMs) };
  } finally {
    await Promise.all(reached.map((node) => node.close()));
  }
}

function isFileserver(spec: Spec, id: string): boolean {
  return spec.fileservers.some(({ name }) => name === id);
}

async function reachAll(parts: DrainParts): Promise<readonly ReachedNode[]> {
  const tried = await Promise.allSettled(parts.spec.cluster.nodes.map(({ name }) => parts.reach(name)));
  return tried.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
}

/** The word of a node with quorum; best of one that stays. */
async function askCluster(
  parts: DrainParts,
  reached: readonly ReachedNode[],
): Promise<{ readonly state: ClusterState; readonly at: string }> {
  const names = reached.map(({ name }) => name).sort((a, b) => Number(a === parts.node) - Number(b === parts.node));
  let cause: unknown;
  for (const at of names) {
    try {
      const state = await readClusterState(parts.commandsOf(at));
      if (state.quorum) return { state, at };
      cause = new Error(`${at} has no quorum`);
    } catch (error) {
      cause = error;
    }
  }
  throw new Fault({
    kind: "refused",
    code: "cluster-unknown",
    what: `no node of ${parts.spec.cluster.name} with a quorum answers; nothing was changed`,
    remedy: "look on a node: systemctl status corosync pacemaker",
    cause,
  });
}

/** Nodes that can take something, those with the least first. */
function targets(parts: DrainParts, state: ClusterState): readonly string[] {
  return state.nodes
    .filter(
      ({ name, online, standby: off, pending, unclean, maintenance }) =>
        name !== parts.node && online && !off && !pending && !unclean && !maintenance,
    )
    .sort((a, b) => a.running - b.running)
    .map(({ name }) => name);
}

function noTarget(node: string, carried: readonly string[]): Fault {
  return new Fault({
    kind: "refused",
    code: "target-not-ready",
    what: `no other node can serve ${carried.join(", ")}; nothing was changed`,
    why: `${node} would release them, and their clients would wait until somebody serves them again`,
    remedy: "bring another node back: holdfast status tells why it cannot serve",
  });
}

/**
 * Every node that may take a fileserver is prepared: which one it will be is the cluster's decision. The volume groups
 * are labelled for the likeliest; where the cluster decides otherwise, that node labels them itself.
 */
async function announce(
  parts: DrainParts,
  reached: readonly ReachedNode[],
  able: readonly string[],
  carried: readonly string[],
): Promise<void> {
  for (const [index, fileserver] of carried.entries()) {
    const prefer = parts.spec.fileservers.find(({ name }) => name === fileserver)?.placement.prefer;
    const likely = prefer !== undefined && able.includes(prefer) ? prefer : able[index % able.length];
    const target = reached.find(({ name }) => name === likely);
    if (target === undefined) continue;
    const { systemId } = await whenFree(parts.clock, () => target.agent.prepare(fileserver));
    parts.progress(`${fileserver}: ${target.name} is prepared`);
    if (systemId === undefined) continue;
    const source = reached.find(({ name }) => name === parts.node);
    for (const end of [source, target]) await end?.agent.handover(fileserver, { successorSystemId: systemId });
  }
}

/** Asks the agents, not the cluster: its own look costs the nodes what clients should have. */
async function follow(
  parts: DrainParts,
  reached: readonly ReachedNode[],
  carried: readonly string[],
  at: string,
): Promise<DrainReport["moved"]> {
  const moved = new Map<string, string>();
  const bound = { what: "the node to drain", timeoutMs: DRAIN_TIMEOUT_MS, intervalMs: AGENT_INTERVAL_MS };
  const drained = await waitFor(parts.clock, bound, async () => {
    const answers = await Promise.allSettled(
      reached
        .filter(({ name }) => name !== parts.node)
        .map(async ({ name, agent }) => ({ name, status: await agent.status() })),
    );
    for (const answer of answers) {
      if (answer.status === "rejected") continue;
      for (const { name: fileserver, state } of answer.value.status.fileservers) {
        if (state !== "serving" || !carried.includes(fileserver) || moved.has(fileserver)) continue;
        moved.set(fileserver, answer.value.name);
        parts.progress(`${fileserver} is served by ${answer.value.name}`);
      }
    }
    return carried.every((fileserver) => moved.has(fileserver)) ? true : undefined;
  });
  if (drained === true) return carried.map((fileserver) => ({ fileserver, to: moved.get(fileserver) ?? "" }));
  const left = carried.filter((fileserver) => !moved.has(fileserver));
  throw new Fault({
    code: "node-not-drained",
    what: `${parts.node} is in standby, but nobody serves ${left.join(", ")} yet`,
    remedy: `look on ${at}: crm_mon -1; back to before: holdfast unstandby ${parts.node}`,
  });
}
