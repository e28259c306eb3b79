import { messageOf } from "../base/fault.ts";
import type { AgentStatus, FileserverStatus } from "../wire/agent.ts";
import type { CliCommand } from "./command.ts";
import { lastingGraceLines } from "./grace-lines.ts";
import { askNodes, type NodeReply } from "./reach.ts";
import { FILE_OPTION, fileOption, readSpecFile } from "./spec-file.ts";

const WATCH_INTERVAL_MS = 2_000;

export const STATUS: CliCommand = {
  words: ["status"],
  summary: "nodes, fileservers and who serves what",
  details: "Exit status 0 when every node answered and every fileserver is served by exactly one, 1 otherwise.",
  arguments: [],
  options: [FILE_OPTION, { flags: "--watch", help: "again every two seconds, until interrupted" }],
  run: async ({ options, io }) => {
    const { spec } = await readSpecFile(fileOption(options));
    for (;;) {
      const replies = await askNodes(spec, ({ agent }) => agent.status());
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

export interface StatusDocument {
  readonly cluster: string;
  readonly healthy: boolean;
  readonly nodes: readonly {
    readonly name: string;
    readonly answers: boolean;
    readonly why?: string;
    readonly specHash?: string;
  }[];
  readonly fileservers: readonly {
    readonly name: string;
    /** The one node that serves it; null where none does or where that is not known. */
    readonly servedBy: string | null;
    readonly on: Readonly<Record<string, FileserverStatus>>;
  }[];
}

export function makeDocument(
  cluster: string,
  names: readonly string[],
  replies: readonly NodeReply<AgentStatus>[],
): StatusDocument {
  const fileservers = names.map((name) => {
    const on: Record<string, FileserverStatus> = {};
    for (const { node, result } of replies) {
      const found = result.ok ? result.value.fileservers.find((one) => one.name === name) : undefined;
      if (found !== undefined) on[node] = found;
    }
    const serving = Object.entries(on).filter(([, one]) => one.state === "serving");
    return { name, servedBy: serving.length === 1 ? (serving[0]?.[0] ?? null) : null, on };
  });
  const nodes = replies.map(({ node, result }) =>
    result.ok
      ? { name: node, answers: true, specHash: result.value.specHash }
      : { name: node, answers: false, why: messageOf(result.error) },
  );
  return {
    cluster,
    healthy: nodes.every((node) => node.answers) && fileservers.every((one) => one.servedBy !== null),
    nodes,
    fileservers,
  };
}

/** The same facts for a person. */
export function statusLines(document: StatusDocument): readonly string[] {
  const nodes = document.nodes.map(
    (node) => `  ${node.name}  ${node.answers ? "agent answers" : `unknown: ${node.why ?? ""}`}`,
  );
  const fileservers = document.fileservers.flatMap(({ name, servedBy, on }) => [
    `fileserver ${name}: ${servedBy === null ? "not served" : `served by ${servedBy}`}`,
    ...Object.entries(on).flatMap(([node, one]) => fileserverLines(node, one)),
  ]);
  return [`cluster ${document.cluster}`, ...nodes, ...fileservers];
}

function fileserverLines(node: string, one: FileserverStatus): readonly string[] {
  const extra = one.state === "serving" ? `, ${one.connections} connections, ${one.nfsdThreads} threads` : "";
  const because = one.because.length === 0 ? "" : ` (${one.because.join(", ")})`;
  const grace = one.grace === undefined ? [] : lastingGraceLines(one.grace);
  return [`  ${node}  ${one.state}${extra}${because}`, ...grace.map((line) => `      ${line}`)];
}
