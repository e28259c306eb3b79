/** Moves and takeovers of a drill, by the `move` command and the agents of the lab's nodes. */
import { Fault } from "../base/fault.ts";
import { servingNode, type FileserverTarget } from "../drill/placement.ts";
import type { Machines, Mover, Progress } from "../drill/ports.ts";
import type { Spec } from "../model/spec.ts";
import { systemClock, waitFor } from "../system/clock.ts";
import type { AgentStatus, FileserverStatus } from "../wire/agent.ts";
import type { GracePart } from "../wire/clients.ts";
import type { ClusterAnswer } from "../wire/cluster.ts";
import type { Timeline } from "../wire/timeline.ts";
import { cannotServe, whyNotServed } from "./engine-judge.ts";
import { askNodes, reachNode, type NodeReply } from "./reach.ts";
import { runQuietly, type FindCommand } from "./run-quietly.ts";

export interface MoverSettings {
  readonly findCommand: FindCommand;
  readonly spec: Spec;
  readonly specPath: string;
  readonly machines: Machines;
  readonly fileservers: readonly FileserverTarget[];
  readonly nodes: readonly string[];
  readonly progress: Progress;
}

/** A machine that has just booted starts its agent, which brings the warm standby up: seconds, and under emulation a minute. */
const WARM_TIMEOUT_MS = 240_000;
const WARM_INTERVAL_MS = 3_000;

export function moverOf(settings: MoverSettings): Mover {
  const { machines, fileservers, nodes, spec } = settings;
  const isPacemaker = spec.cluster.engine === "pacemaker";
  return {
    lastTakeover: async (fileserver, node) => {
      const reached = await reachNode(spec, node);
      try {
        const timelines = await reached.agent.history(fileserver);
        return timelines.findLast(({ kind, outcome }) => kind === "takeover" && outcome === "done");
      } finally {
        await reached.close();
      }
    },
    whyNotServed: async (fileserver) => {
      const statuses = await askNodes(spec, ({ agent }) => agent.status());
      const cluster = isPacemaker ? await anyClusterAnswer(spec) : undefined;
      return [
        ...(cluster === undefined ? [] : whyNotServed(cluster, fileserver)),
        ...statuses.flatMap((reply) => ofAgent(reply, fileserver)),
      ];
    },
    ...(isPacemaker
      ? {
          clusterTroubles: () => clusterTroubles(spec),
          standby: (node: string) => byCommand(settings, "standby", node),
          unstandby: (node: string) => byCommand(settings, "unstandby", node),
        }
      : {
          // With an engine nobody takes over by hand.
          takeOver: (fileserver: string, node: string, fenced: string) =>
            moveByCommand(settings, fileserver, node, { fenced }),
        }),
    serving: (fileserver) => servingNode(machines, nodes, targetNamed(fileservers, fileserver)),
    move: (fileserver, node) => moveByCommand(settings, fileserver, node, {}),
    waitWarm: async (fileserver, node) => {
      let state = "silent";
      const bound = { what: `${fileserver} warm on ${node}`, timeoutMs: WARM_TIMEOUT_MS, intervalMs: WARM_INTERVAL_MS };
      const warm = await waitFor(systemClock, bound, async () => {
        // An agent that does not answer yet is what is waited for.
        state = await statusOf(spec, node, fileserver).then(
          (status) => status?.state ?? "unknown",
          () => "silent",
        );
        return state === "warm" ? true : undefined;
      });
      if (warm === true) return;
      throw new Fault({
        code: "standby-not-warm",
        what: `${fileserver} is ${state} on ${node}, ${WARM_TIMEOUT_MS / 1000} s after it was powered on`,
        remedy: `look on ${node}: journalctl -u holdfast-agent`,
      });
    },
    graceReasons: async (fileserver, node) => {
      const grace = (await statusOf(spec, node, fileserver))?.grace;
      return grace === undefined ? [] : [...reasonsOf("v4", grace.v4), ...reasonsOf("v3", grace.v3)];
    },
  };
}

/** As the first node that answers sees it. */
async function anyClusterAnswer(spec: Spec): Promise<ClusterAnswer | undefined> {
  const replies = await askNodes(spec, ({ agent }) => agent.cluster());
  return replies.flatMap(({ result }) => (result.ok ? [result.value] : []))[0];
}

function ofAgent({ node, result }: NodeReply<AgentStatus>, fileserver: string): readonly string[] {
  if (!result.ok) return [`${node}: its agent does not answer`];
  const { standing, fileservers } = result.value;
  const own = fileservers.find(({ name }) => name === fileserver);
  const standings = standing === undefined || standing.good ? [] : standing.because;
  return [...standings, ...(own?.because ?? [])].map((reason) => `${node}: ${reason}`);
}

/** What an operator would have to see to before the cluster is whole. */
async function clusterTroubles(spec: Spec): Promise<readonly string[]> {
  const statuses = await askNodes(spec, ({ agent }) => agent.status());
  const cluster = await anyClusterAnswer(spec);
  if (cluster === undefined) return ["no node says how the cluster is"];
  const missing = spec.cluster.nodes.filter(({ name }) => !cluster.nodes.some((node) => node.name === name));
  return [
    ...(cluster.quorum ? [] : ["the cluster has no quorum"]),
    ...missing.map(({ name }) => `${name} is not in the cluster`),
    ...cluster.nodes.flatMap((node) => {
      const reason = cannotServe(node);
      return reason === undefined ? [] : [`${node.name} ${reason}`];
    }),
    ...statuses.flatMap(({ node, result }) => {
      if (!result.ok) return [`${node}: its agent does not answer`];
      const { standing } = result.value;
      return standing === undefined || standing.good ? [] : standing.because.map((reason) => `${node}: ${reason}`);
    }),
  ];
}

async function byCommand(
  { findCommand, specPath, progress }: MoverSettings,
  word: "standby" | "unstandby",
  node: string,
): Promise<void> {
  const command = await findCommand(word);
  if (command === undefined) throw new Fault({ code: "command-missing", what: `this holdfast has no command ${word}` });
  await runQuietly(command, { args: [node], options: { file: specPath, json: true } }, progress);
}

/** Why a grace ended is no reason why it lasts. */
function reasonsOf(protocol: string, { lasts, because }: GracePart): readonly string[] {
  return lasts ? because.map((reason) => `${protocol}: ${reason}`) : [];
}

async function statusOf(spec: Spec, node: string, fileserver: string): Promise<FileserverStatus | undefined> {
  const reached = await reachNode(spec, node);
  try {
    return (await reached.agent.status()).fileservers.find(({ name }) => name === fileserver);
  } finally {
    await reached.close();
  }
}

export function targetNamed(fileservers: readonly FileserverTarget[], name: string): FileserverTarget {
  const target = fileservers.find((one) => one.name === name);
  if (target !== undefined) return target;
  throw new Fault({
    kind: "invalid",
    code: "unknown-fileserver",
    what: `there is no fileserver ${JSON.stringify(name)}`,
    remedy: `use one of: ${fileservers.map((one) => one.name).join(", ")}`,
  });
}

/** `holdfast move` as it is, so that what is measured is what an operator gets. */
async function moveByCommand(
  { findCommand, specPath, progress }: MoverSettings,
  fileserver: string,
  node: string,
  options: { readonly fenced?: string },
): Promise<Timeline> {
  const move = await findCommand("move");
  if (move === undefined) throw new Fault({ code: "move-missing", what: "this holdfast has no command `move`" });
  const invocation = { args: [fileserver, node], options: { file: specPath, json: true, ...options } };
  const document = (await runQuietly(move, invocation, progress)) as { readonly timeline?: Timeline } | undefined;
  if (document?.timeline !== undefined) return document.timeline;
  throw new Fault({ code: "move-without-timeline", what: `holdfast move ${fileserver} ${node} gave no timeline` });
}
