import { messageOf } from "../base/fault.ts";
import { known, unknown, type Observed } from "../base/observed.ts";
import type { Engine } from "../model/spec.ts";
import type { AgentStatus, FileserverStatus, StandingStatus } from "../wire/agent.ts";
import type { AgentClient } from "../wire/client.ts";
import type { ClusterAnswer } from "../wire/cluster.ts";
import type { CliCommand } from "./command.ts";
import { cannotServe, whyNotServed } from "./engine-judge.ts";
import { lastingGraceLines } from "./grace-lines.ts";
import { askNodes, type NodeReply } from "./reach.ts";
import { FILE_OPTION, fileOption, readSpecFile } from "./spec-file.ts";

const WATCH_INTERVAL_MS = 2_000;

export const STATUS: CliCommand = {
  words: ["status"],
  summary: "nodes, fileservers and who serves what",
  details:
    "Exit status 0 when every node answered and every fileserver is served by exactly one, 1 otherwise. With engine:\n" +
    "pacemaker also only where there is quorum, and every node may serve and is registered on every LUN.",
  arguments: [],
  options: [FILE_OPTION, { flags: "--watch", help: "again every two seconds, until interrupted" }],
  run: async ({ options, io }) => {
    const { spec } = await readSpecFile(fileOption(options));
    for (;;) {
      const replies = await askNodes(spec, async ({ agent }) => askOne(agent, spec.cluster.engine));
      const names = spec.fileservers.map((one) => one.name as string);
      const document = makeDocument(spec.cluster.name, names, replies);
      if (options["watch"] === true && io.terminal) process.stdout.write("\u001B[H\u001B[2J");
      io.document(document);
      for (const line of statusLines(document)) io.say(line);
      const watching = options["watch"] === true && !io.closed();
      if (!watching) return document.healthy ? 0 : 1;
      await new Promise((resolve) => setTimeout(resolve, WATCH_INTERVAL_MS));
    }
  },
};

/** One node's answers. */
export interface NodeAnswer {
  readonly status: AgentStatus;
  /** Engine pacemaker only: the cluster as this node sees it. */
  readonly engine?: Observed<ClusterAnswer>;
}

async function askOne(agent: AgentClient, engine: Engine): Promise<NodeAnswer> {
  if (engine === "standalone") return { status: await agent.status() };
  const [status, cluster] = await Promise.all([
    agent.status(),
    agent.cluster().then(known, (error: unknown) => unknown<ClusterAnswer>(messageOf(error))),
  ]);
  return { status, engine: cluster };
}

export interface StatusDocument {
  readonly cluster: string;
  readonly healthy: boolean;
  readonly nodes: readonly {
    readonly name: string;
    readonly answers: boolean;
    readonly why?: string;
    readonly specHash?: string;
    /** Engine pacemaker: its registration on the LUNs, as its agent sees it. */
    readonly standing?: StandingStatus;
    /** Engine pacemaker: whether the cluster can use it; null where it can. */
    readonly cannotServe?: string | null;
  }[];
  /** Engine pacemaker; null where no node can say. */
  readonly engine?: EngineStatus | null;
  readonly fileservers: readonly {
    readonly name: string;
    /** The one node that serves it; null where none does or where that is not known. */
    readonly servedBy: string | null;
    /** Engine pacemaker: what the cluster says against it, where nobody serves it. */
    readonly because?: readonly string[];
    readonly on: Readonly<Record<string, FileserverStatus>>;
  }[];
}

export interface EngineStatus {
  readonly quorum: boolean;
  readonly dc: string | null;
  readonly fencingEnabled: boolean | null;
  readonly maintenance: boolean;
  /** Newest first. */
  readonly fencings: ClusterAnswer["fencings"];
  readonly failures: ClusterAnswer["failures"];
  /** Nodes that see it otherwise, or cannot say, with what they say. */
  readonly dissent: readonly string[];
}

export function makeDocument(
  cluster: string,
  names: readonly string[],
  replies: readonly NodeReply<NodeAnswer>[],
): StatusDocument {
  const engine = engineView(replies);
  const fileservers = names.map((name) => {
    const on: Record<string, FileserverStatus> = {};
    for (const { node, result } of replies) {
      const found = result.ok ? result.value.status.fileservers.find((one) => one.name === name) : undefined;
      if (found !== undefined) on[node] = found;
    }
    const serving = Object.entries(on).filter(([, one]) => one.state === "serving");
    const servedBy = serving.length === 1 ? (serving[0]?.[0] ?? null) : null;
    const because = servedBy === null && engine !== undefined ? { because: whyNotServed(engine.view, name) } : {};
    return { name, servedBy, ...because, on };
  });
  const nodes = replies.map((reply) => nodeStatus(reply, engine?.view));
  const engineHealthy = engine === undefined ? replies.every(standalone) : isWell(engine.status, nodes);
  return {
    cluster,
    healthy: engineHealthy && nodes.every((node) => node.answers) && fileservers.every((one) => one.servedBy !== null),
    nodes,
    ...(engine === undefined ? (replies.every(standalone) ? {} : { engine: null }) : { engine: engine.status }),
    fileservers,
  };
}

function standalone({ result }: NodeReply<NodeAnswer>): boolean {
  return !result.ok || result.value.engine === undefined;
}

function nodeStatus(
  { node, result }: NodeReply<NodeAnswer>,
  view: ClusterAnswer | undefined,
): StatusDocument["nodes"][number] {
  const seen = view?.nodes.find(({ name }) => name === node);
  const ability =
    view === undefined ? {} : { cannotServe: seen === undefined ? "is not in it" : (cannotServe(seen) ?? null) };
  if (!result.ok) return { name: node, answers: false, why: messageOf(result.error), ...ability };
  const { specHash, standing } = result.value.status;
  return { name: node, answers: true, specHash, ...(standing === undefined ? {} : { standing }), ...ability };
}

function isWell(engine: EngineStatus, nodes: StatusDocument["nodes"]): boolean {
  const { quorum, fencingEnabled, maintenance, dissent } = engine;
  const ready = nodes.every((node) => node.cannotServe === null && node.standing?.good === true);
  return quorum && fencingEnabled !== false && !maintenance && dissent.length === 0 && ready;
}

/** The word of a node with quorum goes before that of one without: in a split each side has its own. */
function engineView(
  replies: readonly NodeReply<NodeAnswer>[],
): { readonly view: ClusterAnswer; readonly status: EngineStatus } | undefined {
  const words = replies.flatMap(({ node, result }) =>
    result.ok && result.value.engine !== undefined ? [{ node, word: result.value.engine }] : [],
  );
  const views = words.flatMap(({ node, word }) => (word.known ? [{ node, view: word.value }] : []));
  const chosen = views.find(({ view }) => view.quorum) ?? views[0];
  if (chosen === undefined) return undefined;
  const { view } = chosen;
  const dissent = words.flatMap(({ node, word }) => {
    if (!word.known) return [`${node}: ${word.why}`];
    return view.quorum && !word.value.quorum ? [`${node} sees no quorum`] : [];
  });
  const { quorum, maintenance, fencings, failures } = view;
  return {
    view,
    status: {
      quorum,
      dc: view.dc ?? null,
      fencingEnabled: view.fencingEnabled ?? null,
      maintenance,
      fencings,
      failures,
      dissent,
    },
  };
}

/** A node that does not answer may serve: unknown is not absent. */
function servedWords(servedBy: string | null, silent: readonly string[]): string {
  if (servedBy !== null) return `served by ${servedBy}`;
  return silent.length === 0 ? "not served" : `not known to be served: no answer from ${silent.join(", ")}`;
}

/** The same facts for a person. */
export function statusLines(document: StatusDocument): readonly string[] {
  const silent = document.nodes.flatMap((node) => (node.answers ? [] : [node.name]));
  const fileservers = document.fileservers.flatMap(({ name, servedBy, because, on }) => [
    `fileserver ${name}: ${servedWords(servedBy, silent)}`,
    ...(because ?? []).map((reason) => `  because: ${reason}`),
    ...Object.entries(on).flatMap(([node, one]) => fileserverLines(node, one)),
  ]);
  return [
    `cluster ${document.cluster}${engineWords(document)}`,
    ...document.nodes.flatMap(nodeLines),
    ...(document.engine === undefined || document.engine === null ? [] : engineLines(document.engine)),
    ...fileservers,
  ];
}

function engineWords({ engine }: StatusDocument): string {
  if (engine === undefined) return "";
  if (engine === null) return ": no node can say how the cluster is";
  const words = [
    engine.quorum ? "quorum" : "no quorum: it starts nothing",
    engine.dc === null ? "no node decides" : `${engine.dc} decides`,
    ...(engine.fencingEnabled === false ? ["fencing is switched off"] : []),
    ...(engine.maintenance ? ["in maintenance"] : []),
  ];
  return `: ${words.join(", ")}`;
}

function nodeLines(node: StatusDocument["nodes"][number]): readonly string[] {
  const { standing, cannotServe: reason } = node;
  const words = [
    node.answers ? "agent answers" : `unknown: ${node.why ?? ""}`,
    ...(reason === undefined ? [] : [reason ?? "online"]),
    ...(standing?.good === true ? [`registered on ${standing.luns.length} LUNs`] : []),
  ];
  const bad =
    standing === undefined || standing.good
      ? []
      : [
          ...standing.because,
          ...standing.luns
            .filter(({ conclusion }) => conclusion !== "good")
            .map(({ lun, conclusion, because }) => `${lun}: ${conclusion}: ${because}`),
        ];
  return [`  ${node.name}  ${words.join(", ")}`, ...bad.map((line) => `      not in good standing: ${line}`)];
}

const FENCINGS_SHOWN = 3;

function engineLines({ fencings, dissent }: EngineStatus): readonly string[] {
  return [
    ...dissent.map((line) => `  otherwise: ${line}`),
    ...fencings.slice(0, FENCINGS_SHOWN).map(({ target, action, status, by, completed, reason }) => {
      const words = [by === undefined ? "" : `by ${by}`, completed ?? "", reason ?? ""].filter((word) => word !== "");
      return `  fencing: ${action} of ${target}: ${[status, ...words].join(", ")}`;
    }),
  ];
}

function fileserverLines(node: string, one: FileserverStatus): readonly string[] {
  const extra = one.state === "serving" ? `, ${one.connections} connections, ${one.nfsdThreads} threads` : "";
  const because = one.because.length === 0 ? "" : ` (${one.because.join(", ")})`;
  const grace = one.grace === undefined ? [] : lastingGraceLines(one.grace);
  return [`  ${node}  ${one.state}${extra}${because}`, ...grace.map((line) => `      ${line}`)];
}
