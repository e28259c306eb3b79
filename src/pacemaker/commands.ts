/**
 * Pacemaker's and corosync's own tools. They work on whatever node the given door leads to: this one, or one behind ssh.
 *
 * Nothing here waits for the cluster to settle, except where a tool does so itself; waiting is the caller's.
 */
import { Fault, messageOf } from "../base/fault.ts";
import { runChecked, type Command, type Commands } from "../system/commands.ts";
import { parseCib, type Cib } from "./cib.ts";
import { parseClusterState, type ClusterState } from "./monitor.ts";

const QUERY_TIMEOUT_MS = 20_000;
const CHANGE_TIMEOUT_MS = 60_000;

export const queryCib: Command = { tool: "cibadmin", args: ["--query"], timeoutMs: QUERY_TIMEOUT_MS };

/** Level 3: fencings that succeeded too; the cluster leaves those out by default. */
export const queryState: Command = {
  tool: "crm_mon",
  args: ["--one-shot", "--inactive", "--fence-history=3", "--output-as=xml"],
  timeoutMs: QUERY_TIMEOUT_MS,
};

export const standby = (node: string, on: boolean): Command => ({
  tool: "crm_attribute",
  args: ["--node", node, "--name", "standby", ...(on ? ["--update", "on"] : ["--delete"])],
  timeoutMs: CHANGE_TIMEOUT_MS,
});

/** Leaves a constraint cli-prefer-RESOURCE behind, which `clearMoves` takes away again. */
export const moveResource = (resource: string, node: string): Command => ({
  tool: "crm_resource",
  args: ["--resource", resource, "--move", "--node", node],
  timeoutMs: CHANGE_TIMEOUT_MS,
});
export const clearMoves = (resource: string): Command => ({
  tool: "crm_resource",
  args: ["--resource", resource, "--clear"],
  timeoutMs: CHANGE_TIMEOUT_MS,
});

/** Stopped: the cluster releases it and leaves it; Started: it decides where. */
export const setTargetRole = (resource: string, role: "Started" | "Stopped"): Command => ({
  tool: "crm_resource",
  args: ["--resource", resource, "--meta", "--set-parameter", "target-role", "--parameter-value", role],
  timeoutMs: CHANGE_TIMEOUT_MS,
});
export const clearTargetRole = (resource: string): Command => ({
  tool: "crm_resource",
  args: ["--resource", resource, "--meta", "--delete-parameter", "target-role"],
  timeoutMs: CHANGE_TIMEOUT_MS,
});

/** Stopped and started where it is; the tool itself waits for both, up to its bound. */
export const restartResource = (resource: string, timeoutMs: number): Command => ({
  tool: "crm_resource",
  args: ["--resource", resource, "--restart", "--timeout", `${Math.ceil(timeoutMs / 1000)}s`],
  timeoutMs: timeoutMs * 2,
});

/** Forgets failures, so that the cluster tries again at once. */
export const cleanUp = (resource: string): Command => ({
  tool: "crm_resource",
  args: ["--resource", resource, "--cleanup"],
  timeoutMs: CHANGE_TIMEOUT_MS,
});

export const fenceNode = (node: string, timeoutMs: number): Command => ({
  tool: "stonith_admin",
  args: ["--reboot", node, "--timeout", `${Math.ceil(timeoutMs / 1000)}`],
  timeoutMs: timeoutMs + CHANGE_TIMEOUT_MS,
});

export const quorumStatus: Command = { tool: "corosync-quorumtool", args: ["-s"], timeoutMs: QUERY_TIMEOUT_MS };
export const reloadCorosync: Command = { tool: "corosync-cfgtool", args: ["-R"], timeoutMs: CHANGE_TIMEOUT_MS };

/** A value that the cluster forgets when the node leaves it (attrd_updater(8)). */
export const updateAttribute = (name: string, value: string): Command => ({
  tool: "attrd_updater",
  args: ["--name", name, "--update", value],
  timeoutMs: QUERY_TIMEOUT_MS,
});
export const deleteAttribute = (name: string): Command => ({
  tool: "attrd_updater",
  args: ["--name", name, "--delete"],
  timeoutMs: QUERY_TIMEOUT_MS,
});

/** Rejects with a Fault "cluster-not-running" where nobody answers. */
export async function readClusterState(commands: Commands): Promise<ClusterState> {
  return parseClusterState((await asked(commands, queryState)).stdout);
}

export async function readCib(commands: Commands): Promise<Cib> {
  return parseCib((await asked(commands, queryCib)).stdout);
}

async function asked(commands: Commands, command: Command): ReturnType<typeof runChecked> {
  try {
    return await runChecked(commands, command);
  } catch (error) {
    throw new Fault({
      code: "cluster-not-running",
      what: `the cluster does not answer: ${messageOf(error)}`,
      remedy: "look on the node: systemctl status corosync pacemaker",
      cause: error,
    });
  }
}

export interface QuorumState {
  readonly quorate: boolean;
  readonly expectedVotes: number;
  readonly totalVotes: number;
  /** Names or ids of the members, as corosync knows them. */
  readonly members: readonly string[];
}

/** From `corosync-quorumtool -s`, whose exit status says whether there is a quorum. */
export function parseQuorum(stdout: string): QuorumState | undefined {
  const field = (name: string): string | undefined => new RegExp(`^${name}:\\s+(.*)$`, "m").exec(stdout)?.[1]?.trim();
  const quorate = field("Quorate");
  if (quorate === undefined) return undefined;
  const list = stdout.slice(stdout.indexOf("Membership information"));
  const members = [...list.matchAll(/^\s+(?:0x)?[0-9a-f]+\s+[0-9]+\s+(?:\S*[A-Z]\S*\s+)?(\S+)(?: \(local\))?\s*$/gm)];
  return {
    quorate: quorate === "Yes",
    expectedVotes: Number(field("Expected votes") ?? "0"),
    totalVotes: Number(field("Total votes") ?? "0"),
    members: members.map((match) => match[1] ?? ""),
  };
}
