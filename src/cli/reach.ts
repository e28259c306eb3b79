/** Reaches the agents of a cluster: directly on a node, through OpenSSH from anywhere else. */
import { existsSync } from "node:fs";
import { hostname } from "node:os";
import { PLACES } from "../agent/places.ts";
import type { Spec } from "../model/spec.ts";
import { keepForwards } from "../ssh/kept-forwards.ts";
import type { AgentStatus } from "../wire/agent.ts";
import { agentClient, type AgentClient } from "../wire/client.ts";

export interface ReachedNode {
  readonly name: string;
  readonly agent: AgentClient;
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 30_000;
/** Longer than any run's own bounds together: the agent answers first, with the better message. */
const REQUEST_TIMEOUT_MS = 600_000;

const openForward = keepForwards();

export async function reachNode(spec: Spec, node: string): Promise<ReachedNode> {
  const here = hostname().split(".")[0] === node && existsSync(PLACES.socket);
  const config = spec.cluster.ssh.config ?? process.env["HOLDFAST_SSH_CONFIG"];
  const forward = here
    ? { socket: PLACES.socket, close: () => Promise.resolve() }
    : await openForward({
        host: node,
        remoteSocket: PLACES.socket,
        timeoutMs: CONNECT_TIMEOUT_MS,
        ...(config === undefined ? {} : { configPath: config }),
      });
  return {
    name: node,
    agent: agentClient({ socket: forward.socket, node, timeoutMs: REQUEST_TIMEOUT_MS }),
    close: () => forward.close(),
  };
}

export interface NodeReply<T> {
  readonly node: string;
  readonly result: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown };
}

/** Asks every node of the spec at once; a node that does not answer is a reply too. */
export async function askNodes<T>(
  spec: Spec,
  question: (node: ReachedNode) => Promise<T>,
): Promise<readonly NodeReply<T>[]> {
  return askNamed(
    spec,
    spec.cluster.nodes.map(({ name }) => name),
    question,
  );
}

/** The status of these nodes' agents, whether the spec names the nodes or not. */
export async function askAgentsOf(spec: Spec, nodes: readonly string[]): Promise<readonly NodeReply<AgentStatus>[]> {
  return askNamed(spec, nodes, ({ agent }) => agent.status());
}

async function askNamed<T>(
  spec: Spec,
  nodes: readonly string[],
  question: (node: ReachedNode) => Promise<T>,
): Promise<readonly NodeReply<T>[]> {
  return Promise.all(
    nodes.map(async (name): Promise<NodeReply<T>> => {
      try {
        const reached = await reachNode(spec, name);
        try {
          return { node: name, result: { ok: true, value: await question(reached) } };
        } finally {
          await reached.close();
        }
      } catch (error) {
        return { node: name, result: { ok: false, error } };
      }
    }),
  );
}
