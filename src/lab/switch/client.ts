/** Talks to a running switch. Every call is bounded, and rejects with the Fault that the switch answered. */
import { createConnection } from "node:net";
import { resolve as absolutePath } from "node:path";
import { Fault, faultFromDocument, messageOf } from "../../base/fault.ts";
import { waitFor, type Clock } from "../../system/clock.ts";
import type { CaptureOptions } from "./capture.ts";
import { controlSocketPath } from "./config.ts";
import {
  answerSchema,
  resultSchemas,
  type Request,
  type RequestName,
  type RequestOf,
  type ResultOf,
} from "./protocol.ts";
import type { Direction, RuleChange } from "./rules.ts";

/** The switch answers at once; this covers a host whose two cores are busy emulating machines. */
export const REQUEST_TIMEOUT_MS = 10_000;
const READY_INTERVAL_MS = 20;
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

export interface RuleTarget {
  readonly network: string;
  readonly machine: string;
  /** `in` is towards the machine, `out` from it. */
  readonly direction: Direction | "both";
}

/**
 * Faults of every call: `switch-not-running` (nobody answers on the control socket), `switch-timed-out`,
 * `switch-answer-invalid`; and what the switch answers: `switch-request-invalid`, `switch-unknown-network`,
 * `switch-unknown-machine`, `switch-port-exists`, `switch-capture-…`, `switch-cannot-listen`.
 */
export interface SwitchClient {
  /** Networks, ports, counters, learned MACs, captures; and the switch's process id. */
  readonly ports: () => Promise<ResultOf<"ports">>;
  readonly rules: () => Promise<ResultOf<"rules">>;
  /** Changes what is given and leaves the rest of that machine's rule as it was. Returns all rules in force. */
  readonly setRule: (target: RuleTarget, change: RuleChange) => Promise<ResultOf<"set-rule">>;
  /** Takes rules away: of one machine, one network, one machine in one network, or all. Returns those left. */
  readonly heal: (which?: { readonly machine?: string; readonly network?: string }) => Promise<ResultOf<"heal">>;
  /** Overwrites the file. A relative path is taken from this process's folder. */
  readonly startCapture: (network: string, options: CaptureOptions) => Promise<ResultOf<"capture-start">>;
  /** The file is complete when this resolves. */
  readonly stopCapture: (network: string) => Promise<ResultOf<"capture-stop">>;
  /** Sends a frame (from the destination's MAC on) to one machine or all; the switch learns nothing from it. */
  readonly inject: (network: string, machine: string, frame: Uint8Array) => Promise<ResultOf<"inject">>;
  /** Resolves with the path of the new port's socket, which then listens. */
  readonly addPort: (network: string, machine: string) => Promise<ResultOf<"add-port">>;
  readonly removePort: (network: string, machine: string) => Promise<ResultOf<"remove-port">>;
  /** Resolves when the switch has taken the request; it then ends its connections and removes its sockets. */
  readonly shutDown: () => Promise<ResultOf<"shutdown">>;
}

export function switchClient(folder: string, timeoutMs: number = REQUEST_TIMEOUT_MS): SwitchClient {
  const path = controlSocketPath(folder);
  const call = <Name extends RequestName>(request: RequestOf<Name>): Promise<ResultOf<Name>> =>
    ask<Name>(path, request, timeoutMs);
  return {
    ports: () => call<"ports">({ request: "ports" }),
    rules: () => call<"rules">({ request: "rules" }),
    setRule: ({ network, machine, direction }, { cut, loss, delayMs, jitterMs }) =>
      call<"set-rule">({ request: "set-rule", network, machine, direction, cut, loss, delayMs, jitterMs }),
    heal: (which) => call<"heal">({ request: "heal", machine: which?.machine, network: which?.network }),
    startCapture: (network, { file, maxBytes, includeDropped, from }) =>
      call<"capture-start">({
        request: "capture-start",
        network,
        file: absolutePath(file),
        maxBytes,
        includeDropped,
        from,
      }),
    stopCapture: (network) => call<"capture-stop">({ request: "capture-stop", network }),
    inject: (network, machine, frame) =>
      call<"inject">({ request: "inject", network, machine, frameHex: Buffer.from(frame).toString("hex") }),
    addPort: (network, machine) => call<"add-port">({ request: "add-port", network, machine }),
    removePort: (network, machine) => call<"remove-port">({ request: "remove-port", network, machine }),
    shutDown: () => call<"shutdown">({ request: "shutdown" }),
  };
}

/** Waits until the switch answers; every port listens then. Rejects with a Fault `switch-not-running` at the bound. */
export async function waitForSwitch(clock: Clock, folder: string, timeoutMs: number): Promise<SwitchClient> {
  const client = switchClient(folder);
  let last: unknown;
  const bound = { what: "the switch", timeoutMs, intervalMs: READY_INTERVAL_MS };
  const ready = await waitFor(clock, bound, async () => {
    try {
      await client.ports();
      return client;
    } catch (error) {
      last = error;
      return undefined;
    }
  });
  if (ready !== undefined) return ready;
  throw new Fault({
    code: "switch-not-running",
    what: `no switch answered in ${folder} within ${timeoutMs} ms`,
    cause: last,
  });
}

/** True when a switch answers in this folder. */
export async function isSwitchRunning(folder: string): Promise<boolean> {
  try {
    await switchClient(folder).ports();
    return true;
  } catch (error) {
    if (error instanceof Fault && error.code === "switch-not-running") return false;
    throw error;
  }
}

async function ask<Name extends RequestName>(
  path: string,
  request: Request,
  timeoutMs: number,
): Promise<ResultOf<Name>> {
  const line = await exchange(path, `${JSON.stringify(request)}\n`, timeoutMs);
  const answer = answerSchema.safeParse(parseJson(line));
  if (!answer.success) throw answerInvalid(line, answer.error);
  if (!answer.data.ok) throw faultFromDocument(answer.data.error as Parameters<typeof faultFromDocument>[0]);
  const result = resultSchemas[request.request].safeParse(answer.data.result);
  if (!result.success) throw answerInvalid(line, result.error);
  return result.data as ResultOf<Name>;
}

/** One connection per request: no state to keep, nothing to mend when the switch is started anew. */
function exchange(path: string, line: string, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const socket = createConnection({ path });
    const timer = setTimeout(() => settle(timedOut(path, timeoutMs)), timeoutMs);
    const settle = (outcome: string | Fault): void => {
      clearTimeout(timer);
      socket.destroy();
      if (outcome instanceof Fault) reject(outcome);
      else resolve(outcome);
    };
    socket.on("connect", () => socket.write(line));
    socket.on("data", (data) => {
      const chunk = data as Buffer; // no encoding is set
      chunks.push(chunk);
      bytes += chunk.length;
      if (chunk.includes("\n")) settle(Buffer.concat(chunks).toString());
      else if (bytes > ANSWER_BYTES_MAX) settle(answerInvalid("", new Error("longer than any answer")));
    });
    socket.on("error", (error) => settle(notRunning(path, error)));
    socket.on("close", () => settle(notRunning(path, new Error("the connection was ended without an answer"))));
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw answerInvalid(text, error);
  }
}

function notRunning(path: string, cause: unknown): Fault {
  return new Fault({ code: "switch-not-running", what: `no switch answers on ${path}: ${messageOf(cause)}`, cause });
}

function timedOut(path: string, timeoutMs: number): Fault {
  return new Fault({ code: "switch-timed-out", what: `the switch on ${path} did not answer within ${timeoutMs} ms` });
}

function answerInvalid(line: string, cause: unknown): Fault {
  return new Fault({
    code: "switch-answer-invalid",
    what: `the switch gave an answer that cannot be read: ${line.slice(0, 200)}`,
    why: "client and switch are probably of different versions",
    cause,
  });
}
