/** Speaks HTTP/JSON to an agent over a unix socket: on the node itself, or forwarded by OpenSSH. */
import { request } from "node:http";
import { Fault, faultFromDocument, messageOf } from "../base/fault.ts";
import type {
  AgentStatus,
  ErrorAnswer,
  HandoverRequest,
  PrepareAnswer,
  ReleaseRequest,
  RunAnswer,
  TakeoverRequest,
} from "./agent.ts";
import type { ClientsAnswer } from "./clients.ts";
import type { ClusterAnswer, EngineClearRequest, EngineMoveRequest, FenceRun } from "./cluster.ts";
import type { Timeline } from "./timeline.ts";

export interface AgentClient {
  status(): Promise<AgentStatus>;
  /** @param after the id of a run: only those that ended after it. */
  history(fileserver: string, after?: string): Promise<readonly Timeline[]>;
  /** Only the node that serves can say. */
  clients(fileserver: string): Promise<ClientsAnswer>;
  prepare(fileserver: string): Promise<PrepareAnswer>;
  takeover(fileserver: string, request?: TakeoverRequest): Promise<Timeline>;
  release(fileserver: string, request?: ReleaseRequest): Promise<Timeline>;
  /** Announces a planned move to a node that takes part in it; forgotten after a minute. */
  handover(fileserver: string, request: HandoverRequest): Promise<void>;
  /** The cluster as Pacemaker on that node sees it; refused in engine standalone. */
  cluster(): Promise<ClusterAnswer>;
  fences(): Promise<readonly FenceRun[]>;
  /** Resolves when the cluster has been told; it decides, and moves, afterwards. */
  engineMove(request: EngineMoveRequest): Promise<void>;
  engineClear(request: EngineClearRequest): Promise<void>;
}

export interface AgentClientOptions {
  readonly socket: string;
  /** For messages. */
  readonly node: string;
  /** Bound of one request; a takeover may replay a long log. */
  readonly timeoutMs: number;
}

export function agentClient(options: AgentClientOptions): AgentClient {
  const pathOf = (fileserver: string, word: string): string =>
    `/v1/fileservers/${encodeURIComponent(fileserver)}/${word}`;
  const get = <T>(path: string): Promise<T> => ask<T>(options, "GET", path);
  const post = <T>(fileserver: string, verb: string, body?: unknown): Promise<T> =>
    ask<T>(options, "POST", pathOf(fileserver, verb), body);
  return {
    status: () => get<AgentStatus>("/v1/status"),
    history: (fileserver, after) =>
      get<readonly Timeline[]>(
        `${pathOf(fileserver, "history")}${after === undefined ? "" : `?after=${encodeURIComponent(after)}`}`,
      ),
    clients: (fileserver) => get<ClientsAnswer>(pathOf(fileserver, "clients")),
    prepare: (fileserver) => post<PrepareAnswer>(fileserver, "prepare"),
    takeover: async (fileserver, body) => (await post<RunAnswer>(fileserver, "takeover", body)).timeline,
    release: async (fileserver, body) => (await post<RunAnswer>(fileserver, "release", body)).timeline,
    handover: async (fileserver, body) => void (await post<object>(fileserver, "handover", body)),
    cluster: () => get<ClusterAnswer>("/v1/cluster"),
    fences: () => get<readonly FenceRun[]>("/v1/fences"),
    engineMove: async (body) => void (await ask<object>(options, "POST", "/v1/cluster/move", body)),
    engineClear: async (body) => void (await ask<object>(options, "POST", "/v1/cluster/clear", body)),
  };
}

function ask<T>(options: AgentClientOptions, method: string, path: string, body?: unknown): Promise<T> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const unreachable = (error: unknown): void =>
      reject(
        new Fault({
          code: "agent-unreachable",
          what: `the agent of ${options.node} does not answer: ${messageOf(error)}`,
          remedy: `look on ${options.node}: systemctl status holdfast-agent`,
          cause: error,
        }),
      );
    const headers =
      text === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
    const call = request(
      { socketPath: options.socket, method, path, headers, timeout: options.timeoutMs },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", unreachable);
        response.on("end", () => {
          try {
            const answer: unknown = JSON.parse(Buffer.concat(chunks).toString());
            if (response.statusCode === 200) resolve(answer as T);
            else if (isErrorAnswer(answer)) reject(faultFromDocument(answer.error));
            else
              unreachable(new Error(`it answered with status ${response.statusCode ?? 0}, and not as an agent does`));
          } catch (error) {
            unreachable(error);
          }
        });
      },
    );
    call.on("timeout", () => call.destroy(new Error(`no answer within ${options.timeoutMs} ms`)));
    call.on("error", unreachable);
    call.end(text);
  });
}

/** An agent of another release, or something that is no agent, may answer a question that it does not know. */
function isErrorAnswer(answer: unknown): answer is ErrorAnswer {
  if (typeof answer !== "object" || answer === null || !("error" in answer)) return false;
  const { error } = answer;
  return typeof error === "object" && error !== null && "code" in error && "what" in error;
}
