/** Looks at the nodes for the planner: what their agents say, and the spec that lies there. */
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { PLACES } from "../agent/places.ts";
import { messageOf } from "../base/fault.ts";
import { known, unknown, type Observed } from "../base/observed.ts";
import { specHash } from "../model/derive.ts";
import { parseSpec } from "../model/load.ts";
import { unknownNode, type InstalledSpec, type NodeObservation, type ObservedCluster } from "../model/observed.ts";
import type { Spec } from "../model/spec.ts";
import { runChecked, systemCommands } from "../system/commands.ts";
import type { AgentStatus } from "../wire/agent.ts";
import { askNodes, type NodeReply } from "./reach.ts";
import type { SpecFile } from "./spec-file.ts";

/** Looks at every node of the spec; never rejects for a node that does not answer: such a node is unknown. */
export type ObserveNodes = (file: SpecFile) => Promise<ObservedCluster>;

export const observeNodes: ObserveNodes = async ({ spec }) => {
  const replies = await askNodes(spec, ({ agent }) => agent.status());
  return {
    nodes: await Promise.all(replies.map((reply) => observeNode(spec, reply, (node) => readInstalled(spec, node)))),
  };
};

/**
 * One node as the planner sees it. A node whose agent does not answer is unknown as a whole: without its agent nobody
 * can tell whether a fileserver runs there. `readText` gives /etc/holdfast/holdfast.yaml of a node; it is asked only
 * where the agent works by another generation than the desired one.
 */
export async function observeNode(
  desired: Spec,
  reply: NodeReply<AgentStatus>,
  readText: (node: string) => Promise<string>,
): Promise<NodeObservation> {
  if (!reply.result.ok) return unknownNode(reply.node, messageOf(reply.result.error));
  const status = reply.result.value;
  return {
    node: reply.node,
    agent: known({ state: "running", version: status.version, generation: status.specHash }),
    spec: await installedSpec(desired, status, () => readText(reply.node)),
    fileservers: known(status.fileservers.map(({ name, state }) => ({ name, state }))),
  };
}

/**
 * What a change means for clients is judged against the spec that the agent works by, so a file that says something
 * else (written, and the agent not yet restarted) is no answer.
 */
async function installedSpec(
  desired: Spec,
  status: AgentStatus,
  readText: () => Promise<string>,
): Promise<Observed<InstalledSpec | undefined>> {
  if (status.specHash === specHash(desired)) return known({ generation: status.specHash, spec: desired });
  let text: string;
  try {
    text = await readText();
  } catch (error) {
    return unknown(`its ${PLACES.spec} cannot be read: ${messageOf(error)}`);
  }
  const parsed = parseSpec(text);
  if (!parsed.ok) return unknown(`its ${PLACES.spec} is not valid for this release; holdfast check there tells why`);
  const generation = specHash(parsed.spec);
  if (generation === status.specHash) return known({ generation, spec: parsed.spec });
  return unknown(
    `its agent works by another spec than ${PLACES.spec}; restart it there (systemctl restart holdfast-agent)`,
  );
}

const READ_TIMEOUT_MS = 30_000;

async function readInstalled(spec: Spec, node: string): Promise<string> {
  if (hostname().split(".")[0] === node) return readFile(PLACES.spec, "utf8");
  const config = spec.cluster.ssh.config ?? process.env["HOLDFAST_SSH_CONFIG"];
  const where = config === undefined ? [] : ["-F", config];
  const { stdout } = await runChecked(systemCommands({ timeScale: 1 }), {
    tool: "ssh",
    args: [...where, "-o", "BatchMode=yes", node, "cat", PLACES.spec],
    timeoutMs: READ_TIMEOUT_MS,
  });
  return stdout;
}
