/** The agent's HTTP face on its unix socket. The socket is root's alone (mode 0600): who can connect may do everything. */
import { chmod, rm } from "node:fs/promises";
import Fastify, { type FastifyInstance } from "fastify";
import { z } from "zod";
import { Fault, faultDocument, toFault, type FaultKind } from "../base/fault.ts";
import { reservationKey } from "../model/derive.ts";
import type { Spec } from "../model/spec.ts";
import { asPrinted } from "../scsi/persistent-reserve.ts";
import { endOnBug } from "./bug.ts";
import { addClusterRoutes, type ClusterParts } from "./cluster-api.ts";
import { addEngineRoutes } from "./engine-api.ts";
import type { AgentStatus, ErrorAnswer, PrepareAnswer, RunAnswer } from "../wire/agent.ts";
import type { Timeline } from "../wire/timeline.ts";
import type { FileserverControl } from "./fileserver.ts";
import { RunFault } from "./history.ts";
import { parseBody } from "./request-body.ts";

const HTTP_STATUS: Readonly<Record<FaultKind, number>> = { failed: 500, invalid: 400, refused: 409 };
const BODY_BYTES_MAX = 64 * 1024;

const takeoverRequest = z
  .strictObject({ fencedNode: z.string().optional(), handedOver: z.boolean().optional() })
  .nullish();
/** The characters that lvmsystemid(7) allows: it goes into an argument list. */
const systemId = z.string().regex(/^[A-Za-z0-9_.+-]{1,128}$/);
const releaseRequest = z.strictObject({ successorSystemId: systemId.optional() }).nullish();
const handoverRequest = z.strictObject({ successorSystemId: systemId });

export interface ApiParts {
  readonly node: string;
  readonly version: string;
  readonly specHash: string;
  readonly spec: Spec;
  readonly controls: ReadonlyMap<string, FileserverControl>;
  readonly wallMs: () => number;
  /** What Pacemaker's agents ask for. */
  readonly cluster?: ClusterParts;
}

export async function serveApi(socket: string, parts: ApiParts): Promise<FastifyInstance> {
  const api = Fastify({ logger: false, bodyLimit: BODY_BYTES_MAX, forceCloseConnections: true });
  api.setErrorHandler((error, _request, reply) => {
    const fault = toFault(error);
    const answer: ErrorAnswer = {
      error: faultDocument(error),
      ...(error instanceof RunFault ? { timeline: error.timeline } : {}),
    };
    endOnBug(error);
    return reply.status(HTTP_STATUS[fault.kind]).send(answer);
  });
  addRoutes(api, parts);
  if (parts.cluster !== undefined) {
    addClusterRoutes(api, parts.cluster);
    const { node, controls, keys } = parts.cluster;
    addEngineRoutes(api, { node, fileservers: [...controls.keys()], nodes: [...keys.keys()] });
  }
  // A socket file left by a killed agent; systemd makes sure that there is only one.
  await rm(socket, { force: true });
  await api.listen({ path: socket });
  await chmod(socket, 0o600);
  return api;
}

function addRoutes(api: FastifyInstance, parts: ApiParts): void {
  const control = (name: string): FileserverControl => {
    const found = parts.controls.get(name);
    if (found !== undefined) return found;
    throw new Fault({
      kind: "invalid",
      code: "unknown-fileserver",
      what: `${parts.node} knows no fileserver ${JSON.stringify(name)}`,
      remedy: `its spec has: ${[...parts.controls.keys()].join(", ") || "none"}`,
    });
  };
  type Named = { Params: { name: string } };

  api.get("/v1/status", async (): Promise<AgentStatus> => ({
    node: parts.node,
    cluster: parts.spec.cluster.name,
    version: parts.version,
    specHash: parts.specHash,
    wallMs: parts.wallMs(),
    fileservers: await Promise.all([...parts.controls.values()].map((one) => one.status())),
    ...standingOf(parts),
  }));
  api.get("/v1/spec", () => Promise.resolve(parts.spec));
  api.get<Named>("/v1/fileservers/:name/clients", (request) => control(request.params.name).clients());
  api.get<Named & { Querystring: { after?: string } }>("/v1/fileservers/:name/history", ({ params, query }) =>
    Promise.resolve(historyAfter(control(params.name).history(), query.after)),
  );
  api.post<Named>("/v1/fileservers/:name/prepare", async (request): Promise<PrepareAnswer> => {
    const refusal = parts.cluster?.registration?.refusal(request.params.name);
    if (refusal !== undefined) throw refusal;
    const systemId = await control(request.params.name).prepare();
    return systemId === undefined ? {} : { systemId };
  });
  api.post<Named>("/v1/fileservers/:name/takeover", async (request): Promise<RunAnswer> => {
    const one = control(request.params.name);
    const asked = parseBody(takeoverRequest, request.body);
    const fencedKey = asked?.fencedNode === undefined ? undefined : keyOfFenced(parts, asked.fencedNode);
    return {
      timeline: await one.takeover({
        ...(fencedKey === undefined ? {} : { fencedKey }),
        handedOver: asked?.handedOver ?? false,
      }),
    };
  });
  api.post<Named>("/v1/fileservers/:name/release", async (request): Promise<RunAnswer> => ({
    timeline: await control(request.params.name).release(parseBody(releaseRequest, request.body)?.successorSystemId),
  }));
  api.post<Named>("/v1/fileservers/:name/handover", (request) => {
    control(request.params.name).announce(parseBody(handoverRequest, request.body).successorSystemId);
    return Promise.resolve({});
  });
}

/** Runs after the one with this id; all of them where it is not known any more. */
function historyAfter(runs: readonly Timeline[], id: string | undefined): readonly Timeline[] {
  return runs.slice(runs.findIndex((run) => run.id === id) + 1);
}

/** Only in engine pacemaker. */
function standingOf({ cluster }: ApiParts): Pick<AgentStatus, "standing"> {
  const registration = cluster?.registration;
  if (registration === undefined) return {};
  const luns = registration.luns();
  const standing = registration.standing();
  const missing = luns.known ? [] : [luns.why];
  return {
    standing: {
      good: luns.known && standing?.good === true,
      because: standing?.fenced === undefined ? missing : [`this node was fenced: ${standing.fenced}`, ...missing],
      luns: standing?.luns ?? [],
    },
  };
}

function keyOfFenced(parts: ApiParts, name: string): string {
  const { nodes } = parts.spec.cluster;
  if (name === parts.node || !nodes.some((node) => node.name === name)) {
    throw new Fault({
      kind: "invalid",
      code: "unknown-node",
      what: `${JSON.stringify(name)} is not another node of this cluster`,
      remedy: `nodes: ${nodes.map((node) => node.name).join(", ")}`,
    });
  }
  return asPrinted(reservationKey(parts.spec.cluster.name, name));
}
