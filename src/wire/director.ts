/** What a director says on its unix socket, and asking it. */
import { request } from "node:http";
import { Fault, messageOf } from "../base/fault.ts";

export interface DirectorStatus {
  readonly director: string;
  readonly machine: string;
  readonly version: string;
  /** Of the spec that it works with. */
  readonly specHash: string;
  readonly services: readonly DirectorServiceStatus[];
  /** The newest last; a bounded number of them. */
  readonly changes: readonly DirectorChange[];
  /** What is wrong with the machine itself, e.g. that the kernel refused a change. Empty: nothing. */
  readonly problems: readonly string[];
}

export interface DirectorServiceStatus {
  readonly name: string;
  readonly fileserver?: string;
  readonly decidedBy: "cluster" | "director";
  readonly mark: number;
  readonly flow: { readonly interface: string; readonly addresses: readonly string[] };
  readonly scheduler: string;
  /** True: this machine has the flow's addresses, so that packets come here. */
  readonly here: boolean;
  /** Names of the servers that get the packets. */
  readonly serving: readonly string[];
  /** Nobody serves: packets wait unanswered. */
  readonly held: boolean;
  readonly because: string;
  readonly servers: readonly DirectorServerStatus[];
}

export interface DirectorServerStatus {
  readonly name: string;
  readonly addresses: readonly string[];
  readonly weight: number;
  /** As balance/health.ts names them; "last-resort" for that server, which is not checked. */
  readonly state: string;
  readonly because: string;
  readonly term?: number;
  /** Connections as the kernel counts them; undefined where it could not be asked. */
  readonly active?: number;
  readonly inactive?: number;
}

export interface DirectorChange {
  /** Wall clock of the director. */
  readonly atMs: number;
  readonly service: string;
  readonly text: string;
}

export const DIRECTOR_STATUS_PATH = "/v1/status";

/** `machine` is for messages. Rejects with a Fault where nobody answers in time. */
export function askDirector(socket: string, machine: string, timeoutMs: number): Promise<DirectorStatus> {
  return new Promise((resolve, reject) => {
    const unreachable = (error: unknown): void =>
      reject(
        new Fault({
          code: "director-unreachable",
          what: `the director on ${machine} does not answer: ${messageOf(error)}`,
          remedy: `look on ${machine}: systemctl status holdfast-director`,
          cause: error,
        }),
      );
    const call = request({ socketPath: socket, path: DIRECTOR_STATUS_PATH, timeout: timeoutMs }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", unreachable);
      response.on("end", () => {
        try {
          if (response.statusCode !== 200) throw new Error(`status ${response.statusCode ?? 0}`);
          resolve(JSON.parse(Buffer.concat(chunks).toString()) as DirectorStatus);
        } catch (error) {
          unreachable(error);
        }
      });
    });
    call.on("timeout", () => call.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    call.on("error", unreachable);
    call.end();
  });
}
