/** Pacemaker's tools, started here on an operator's behalf: whoever reaches an agent reaches the cluster. */
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { Fault } from "../base/fault.ts";
import { clearMoves, moveResource, readClusterState } from "../pacemaker/commands.ts";
import { runChecked } from "../system/commands.ts";
import type { ClusterAnswer } from "../wire/cluster.ts";
import type { Node } from "./context.ts";
import { parseBody } from "./request-body.ts";

export interface EngineParts {
  readonly node: Node;
  readonly fileservers: readonly string[];
  readonly nodes: readonly string[];
}

export function addEngineRoutes(api: FastifyInstance, { node, fileservers, nodes }: EngineParts): void {
  // Both go into an argument list.
  const oneOf = (names: readonly string[]): z.ZodType<string> =>
    z.string().refine((name) => names.includes(name), `it has to be one of: ${names.join(", ")}`);
  const moveRequest = z.strictObject({ fileserver: oneOf(fileservers), node: oneOf(nodes) });
  const clearRequest = z.strictObject({ fileserver: oneOf(fileservers) });
  const refuseStandalone = (): void => {
    if (node.engine === "pacemaker") return;
    throw new Fault({
      kind: "refused",
      code: "no-engine",
      what: `${node.name} has no cluster to ask: its spec says engine: standalone`,
    });
  };

  api.get("/v1/cluster", async (): Promise<ClusterAnswer> => {
    refuseStandalone();
    return readClusterState(node.commands);
  });
  api.post("/v1/cluster/move", async ({ body }) => {
    refuseStandalone();
    const asked = parseBody(moveRequest, body);
    await runChecked(node.commands, moveResource(asked.fileserver, asked.node));
    node.log(`${asked.fileserver}: the cluster was told to move it to ${asked.node}`);
    return {};
  });
  api.post("/v1/cluster/clear", async ({ body }) => {
    refuseStandalone();
    await runChecked(node.commands, clearMoves(parseBody(clearRequest, body).fileserver));
    return {};
  });
}
