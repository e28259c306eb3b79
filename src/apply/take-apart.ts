/**
 * Takes a cluster apart, data untouched: every fileserver is released in good order, then Pacemaker and corosync end, the
 * keys come off the LUNs, and Holdfast's files go. Packages and masked units stay: others may count on them by now.
 */
import { Fault } from "../base/fault.ts";
import type { Spec } from "../model/spec.ts";
import { readClusterState, setTargetRole } from "../pacemaker/commands.ts";
import { runChecked } from "../system/commands.ts";
import type { AgentClient } from "../wire/client.ts";
import { waitUntilStopped, type ClusterParts } from "./cluster-deeds.ts";
import type { NodeShell, OpenShell } from "./node-shell.ts";
import { keyLeft, retireNode } from "./retire.ts";

export interface TakeApartParts extends ClusterParts {
  readonly spec: Spec;
  readonly shell: OpenShell;
  readonly withAgent: <T>(node: string, ask: (agent: AgentClient) => Promise<T>) => Promise<T>;
}

const KEYS_TIMEOUT_MS = 60_000;

/** Resolves with what could not be done and does no harm; rejects where something may still be served. */
export async function takeApart(parts: TakeApartParts): Promise<readonly string[]> {
  await releaseAll(parts);
  const notes: string[] = [];
  await Promise.all(
    parts.spec.cluster.nodes.map(async ({ name }) => {
      const left = await retireNode(parts.shell(name), parts.spec, parts.timeScale);
      parts.progress(`${name}: Holdfast's files and services are gone`);
      notes.push(...left.map((disk) => keyLeft(parts.spec, name, disk)));
    }),
  );
  return notes;
}

async function releaseAll(parts: TakeApartParts): Promise<void> {
  const fileservers = parts.spec.fileservers.map(({ name }) => name as string);
  if (parts.spec.cluster.engine === "pacemaker") {
    const shell = await runningNode(parts);
    if (shell !== undefined) {
      const state = await readClusterState(shell.commands);
      const known = fileservers.filter((name) => state.resources.some(({ id }) => id === name));
      for (const name of known) await runChecked(shell.commands, setTargetRole(name, "Stopped"));
      parts.progress(`releasing ${known.join(", ")} …`);
      await waitUntilStopped(shell, known, parts);
      return;
    }
  }
  for (const { name: node } of parts.spec.cluster.nodes) await releaseOn(parts, node);
}

/** Without Pacemaker the agents release what they serve; a node of which nobody knows what it serves ends it. */
async function releaseOn(parts: TakeApartParts, node: string): Promise<void> {
  const shell = parts.shell(node);
  const there = await shell.run("ls -d /sys/fs/cgroup/holdfast.slice/holdfast-*.scope 2>/dev/null\n", KEYS_TIMEOUT_MS);
  if (there.stdout.trim() === "") return;
  await parts.withAgent(node, async (agent) => {
    const { fileservers } = await agent.status();
    for (const { name, state } of fileservers) {
      if (state === "absent" || state === "warm" || state === "warming") continue;
      parts.progress(`${node}: releasing ${name} …`);
      await agent.release(name);
    }
  });
}

async function runningNode(parts: TakeApartParts): Promise<NodeShell | undefined> {
  for (const { name } of parts.spec.cluster.nodes) {
    const shell = parts.shell(name);
    const active = await shell.run("systemctl is-active --quiet pacemaker.service\n", KEYS_TIMEOUT_MS);
    if (active.status !== 0) continue;
    const state = await readClusterState(shell.commands);
    if (state.quorum) return shell;
    throw new Fault({
      kind: "refused",
      code: "no-quorum",
      what: `the cluster has no quorum, so that nobody knows what is served; nothing was changed`,
      remedy: "bring its nodes back, or take the last one apart by hand after docs/cluster.md",
    });
  }
  return undefined;
}
