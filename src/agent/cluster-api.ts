/**
 * Routes for the shell scripts that Pacemaker starts (packaging/). They answer in plain text, so that a shell can read
 * it: a number, which is the script's exit status, and then lines for the log. The HTTP status is always 200.
 */
import type { FastifyInstance, FastifyReply } from "fastify";
import { explain } from "../base/fault.ts";
import { endOnBug } from "./bug.ts";
import { scaled, type Node } from "./context.ts";
import { askRegistration, fenceNode } from "./fence-node.ts";
import type { FenceRun } from "../wire/cluster.ts";
import type { FileserverControl } from "./fileserver.ts";
import type { Hushes } from "./hush.ts";
import type { Registration } from "./registration.ts";
import { OCF, RESOURCE_ACTIONS } from "./resource.ts";

export interface ClusterParts {
  readonly node: Node;
  readonly controls: ReadonlyMap<string, FileserverControl>;
  /** Undefined in engine standalone. */
  readonly registration: Registration | undefined;
  /** Keys of all nodes of the cluster, by name. */
  readonly keys: ReadonlyMap<string, string>;
  readonly hushes: Hushes;
  readonly goDown: (because: string) => void;
}

/** What a fence agent answers with (fence agents' API of Pacemaker: status 2 is "off"). */
const FENCE = { done: 0, failed: 1, off: 2 } as const;

const TIMEOUT_DEFAULT_MS = 20_000;
const FENCES_MAX = 50;

interface Query {
  readonly Querystring: {
    readonly timeoutMs?: string;
    /** When the operation began: seconds since the boot, as /proc/uptime has them. */
    readonly askedAtS?: string;
  };
}

export function addClusterRoutes(api: FastifyInstance, parts: ClusterParts): void {
  const { node } = parts;
  const fences: FenceRun[] = [];
  const timeoutOf = (given: string | undefined): number => {
    const timeoutMs = Number(given);
    return timeoutMs > 0 ? timeoutMs : scaled(node, TIMEOUT_DEFAULT_MS);
  };

  api.post<Query & { Params: { name: string; action: string } }>(
    "/v1/resources/:name/:action",
    async ({ params, query }, reply) => {
      const control = parts.controls.get(params.name);
      const action = RESOURCE_ACTIONS[params.action];
      const { registration } = parts;
      if (registration === undefined) return say(reply, OCF.installed, ["the spec says engine: standalone"]);
      if (control === undefined)
        return say(reply, OCF.installed, [`the spec of ${node.name} has no fileserver ${params.name}`]);
      if (action === undefined) return say(reply, OCF.generic, [`there is no action ${params.action}`]);
      const askedAtS = query.askedAtS === undefined ? undefined : Number(query.askedAtS);
      const refusal = (): ReturnType<Registration["refusal"]> =>
        registration.refusal(params.name, params.action === "start" ? askedAtS : undefined);
      const resource = { node, control, refusal, goDown: parts.goDown };
      return answering(reply, async () => action(resource, timeoutOf(query.timeoutMs)));
    },
  );

  api.get("/v1/fence", (_request, reply) => answering(reply, () => monitorFencing(parts)));
  api.get("/v1/fence-targets", (_request, reply) => say(reply, FENCE.done, [...parts.keys.keys()]));
  api.get<{ Params: { victim: string } }>("/v1/fence/:victim", ({ params }, reply) =>
    answering(reply, () => registrationState(parts, params.victim)),
  );
  api.post<Query & { Params: { victim: string } }>("/v1/fence/:victim", ({ params, query }, reply) =>
    answering(reply, () => fence(parts, params.victim, timeoutOf(query.timeoutMs), fences)),
  );
  // For drills, in JSON as everything else that is not for a shell.
  api.get("/v1/fences", () => Promise.resolve(fences));
}

interface TextAnswer {
  readonly code: number;
  readonly lines: readonly string[];
}

async function answering(reply: FastifyReply, work: () => Promise<TextAnswer>): Promise<FastifyReply> {
  try {
    const { code, lines } = await work();
    return await say(reply, code, lines);
  } catch (error) {
    endOnBug(error);
    return say(reply, OCF.generic, explain(error));
  }
}

function say(reply: FastifyReply, code: number, lines: readonly string[]): FastifyReply {
  const text = [String(code), ...lines.flatMap((line) => line.split("\n"))].join("\n");
  return reply.type("text/plain; charset=utf-8").send(`${text}\n`);
}

/** That this node could fence: it is registered on every LUN, and each can be read. */
function monitorFencing({ node, registration }: ClusterParts): Promise<TextAnswer> {
  if (registration === undefined) return Promise.resolve({ code: FENCE.failed, lines: ["engine: standalone"] });
  const luns = registration.luns();
  const standing = registration.standing();
  const bad = (standing?.luns ?? []).filter(({ conclusion }) => conclusion !== "good");
  const lines = [
    ...(luns.known ? [] : [luns.why]),
    ...bad.map(({ lun, conclusion, because }) => `${lun}: ${conclusion}: ${because}`),
  ];
  if (luns.known && standing?.good === true) return Promise.resolve({ code: FENCE.done, lines: [] });
  return Promise.resolve({ code: FENCE.failed, lines: [`${node.name} is not registered on every LUN`, ...lines] });
}

async function registrationState({ node, registration, keys }: ClusterParts, victim: string): Promise<TextAnswer> {
  const key = keys.get(victim);
  if (registration === undefined || key === undefined)
    return { code: FENCE.failed, lines: [`the cluster has no node ${victim}`] };
  const state = await askRegistration(node, key, registration.luns());
  if (!state.known) return { code: FENCE.failed, lines: [state.why] };
  return state.value === "on"
    ? { code: FENCE.done, lines: [`${victim} is registered`] }
    : { code: FENCE.off, lines: [`${victim} is registered nowhere`] };
}

async function fence(parts: ClusterParts, victim: string, timeoutMs: number, history: FenceRun[]): Promise<TextAnswer> {
  const { node, registration, keys } = parts;
  const key = keys.get(victim);
  if (registration === undefined || key === undefined)
    return { code: FENCE.failed, lines: [`the cluster has no node ${victim}`] };
  if (victim === node.name) return { code: FENCE.failed, lines: ["a node does not fence itself"] };
  const standing = await monitorFencing(parts);
  if (standing.code !== FENCE.done) return standing;
  const startedMs = node.clock.monotonicMs();
  const startedAtMs = node.clock.wallMs();
  const fenced = fenceNode(node, key, registration.luns(), parts.hushes.of(key));
  const end = await Promise.race([fenced, node.clock.sleep(timeoutMs)]);
  if (end === undefined) {
    node.log(`fence of ${victim}: not ended within ${timeoutMs} ms`);
    return { code: FENCE.failed, lines: [`the fence of ${victim} did not end within ${timeoutMs} ms`] };
  }
  const tookMs = Math.round(node.clock.monotonicMs() - startedMs);
  node.log(`fence of ${victim}: ${end.outcome}, ${tookMs} ms: ${end.because.join("; ")}`);
  history.push({ victim, node: node.name, startedAtMs, durationMs: tookMs, ...end });
  if (history.length > FENCES_MAX) history.shift();
  const done = end.outcome === "fenced" || end.outcome === "already";
  return { code: done ? FENCE.done : FENCE.failed, lines: [`${victim}: ${end.outcome}`, ...end.because] };
}
