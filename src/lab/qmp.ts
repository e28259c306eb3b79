/** QEMU's machine protocol: JSON lines over the machine's unix socket (QEMU: docs/interop/qmp-spec). Every wait is bounded. */
import { connect, type Socket } from "node:net";
import { Fault, messageOf } from "../base/fault.ts";

export interface Qmp {
  /** Resolves with the command's return value. Rejects with a Fault "qmp-refused", "qmp-timed-out" or "qmp-closed". */
  execute(command: string, args?: Readonly<Record<string, unknown>>, timeoutMs?: number): Promise<unknown>;
  close(): void;
}

const CONNECT_TIMEOUT_MS = 10_000;
const COMMAND_TIMEOUT_MS = 15_000;
const LINE_CHARACTERS_MAX = 4 * 1024 * 1024;

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (fault: Fault) => void;
  readonly timer: NodeJS.Timeout;
}

/** @param path the socket; QEMU serves one connection at a time, others wait for its greeting. */
export async function connectQmp(path: string, connectTimeoutMs: number = CONNECT_TIMEOUT_MS): Promise<Qmp> {
  const socket = connect(path);
  const waiting = new Map<number, Waiting>();
  let greeted: (() => void) | undefined;
  let next = 1;
  const fail = (fault: Fault): void => {
    for (const { reject, timer } of waiting.values()) {
      clearTimeout(timer);
      reject(fault);
    }
    waiting.clear();
    socket.destroy();
  };
  const take = (message: QmpMessage): void => {
    if (message.QMP !== undefined) greeted?.();
    const call = message.id === undefined ? undefined : waiting.get(message.id);
    if (call === undefined || message.id === undefined) return;
    waiting.delete(message.id);
    clearTimeout(call.timer);
    if (message.error === undefined) call.resolve(message.return);
    else call.reject(new Fault({ code: "qmp-refused", what: `QEMU refused: ${message.error.desc}` }));
  };
  readLines(socket, take, fail);
  socket.on("close", () => fail(new Fault({ code: "qmp-closed", what: "QEMU closed its control connection" })));
  const execute = (command: string, args: Readonly<Record<string, unknown>> = {}, timeoutMs = COMMAND_TIMEOUT_MS) =>
    new Promise<unknown>((resolve, reject) => {
      const id = next++;
      const timer = setTimeout(() => {
        waiting.delete(id);
        reject(new Fault({ code: "qmp-timed-out", what: `QEMU did not answer ${command} within ${timeoutMs} ms` }));
      }, timeoutMs);
      if (socket.destroyed) {
        clearTimeout(timer);
        reject(new Fault({ code: "qmp-closed", what: "QEMU closed its control connection" }));
        return;
      }
      waiting.set(id, { resolve, reject, timer });
      socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    });
  await greeting(socket, path, connectTimeoutMs, (heard) => (greeted = heard));
  await execute("qmp_capabilities");
  return { execute, close: () => socket.destroy() };
}

interface QmpMessage {
  readonly QMP?: unknown;
  readonly id?: number;
  readonly return?: unknown;
  readonly error?: { readonly class: string; readonly desc: string };
}

function greeting(socket: Socket, path: string, timeoutMs: number, listen: (heard: () => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const unreachable = (why: string): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(new Fault({ code: "qmp-unreachable", what: `no answer from QEMU at ${path}: ${why}` }));
    };
    const timer = setTimeout(() => unreachable(`not within ${timeoutMs} ms`), timeoutMs);
    socket.on("error", (error) => unreachable(messageOf(error)));
    socket.on("close", () => unreachable("connection closed"));
    listen(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function readLines(socket: Socket, take: (message: QmpMessage) => void, fail: (fault: Fault) => void): void {
  let text = "";
  socket.setEncoding("utf8");
  socket.on("data", (chunk: string) => {
    text += chunk;
    if (text.length > LINE_CHARACTERS_MAX) {
      fail(new Fault({ code: "qmp-garbage", what: `QEMU sent a line of more than ${LINE_CHARACTERS_MAX} characters` }));
      return;
    }
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    for (const line of lines) {
      if (line.trim() === "") continue;
      try {
        take(JSON.parse(line) as QmpMessage);
      } catch (error) {
        fail(new Fault({ code: "qmp-garbage", what: "QEMU sent what is not JSON", cause: error }));
        return;
      }
    }
  });
}

/** Opens, uses and closes a connection. */
export async function withQmp<T>(path: string, use: (qmp: Qmp) => Promise<T>): Promise<T> {
  const qmp = await connectQmp(path);
  try {
    return await use(qmp);
  } finally {
    qmp.close();
  }
}
