/** A unix socket of another machine, brought here by the system's OpenSSH (its configuration, agent and host keys count). */
import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fault } from "../base/fault.ts";
import { systemClock, waitFor } from "../system/clock.ts";
import { readText } from "../system/files.ts";
import { isRunning, listProcesses, signalProcess, startDaemon } from "../system/processes.ts";
import { toolPath } from "../system/tools.ts";

export interface Forward {
  readonly socket: string;
  /** False once the connection has ended by itself. */
  isAlive(): Promise<boolean>;
  close(): Promise<void>;
  /** The same for the last moment of a program, in which nothing can be waited for. */
  closeNow(): void;
}

export interface ForwardRequest {
  readonly host: string;
  readonly remoteSocket: string;
  /** An OpenSSH client configuration; the user's own where it is not given. */
  readonly configPath?: string;
  readonly timeoutMs: number;
}

const LOOK_INTERVAL_MS = 20;

/** Rejects when the connection could not be made in time, with what ssh said. */
export async function forwardSocket(request: ForwardRequest): Promise<Forward> {
  const folder = await mkdtemp(join(tmpdir(), "hf-"));
  const socket = join(folder, "agent.sock");
  const log = join(folder, "ssh.log");
  const pid = await startDaemon({ program: toolPath("ssh"), args: forwardArgs(request, socket), logFile: log });
  const ssh = (await listProcesses()).find((one) => one.pid === pid);
  const release = endWithUs(pid);
  const isAlive = async (): Promise<boolean> => ssh !== undefined && (await isRunning(ssh));
  const close = async (): Promise<void> => {
    release();
    if (ssh !== undefined) await signalProcess(ssh, "SIGTERM");
    await rm(folder, { recursive: true, force: true });
  };
  const closeNow = (): void => {
    release();
    terminate(pid);
    rmSync(folder, { recursive: true, force: true });
  };
  const ready = await waitFor(
    systemClock,
    { what: "ssh", timeoutMs: request.timeoutMs, intervalMs: LOOK_INTERVAL_MS },
    async () => {
      if (await canConnect(socket)) return "open" as const;
      return (await isAlive()) ? undefined : ("ended" as const);
    },
  );
  if (ready === "open") return { socket, isAlive, close, closeNow };
  const said = (await readText(log)).trim();
  await close();
  throw new Fault({
    code: "node-unreachable",
    what: `${request.host} cannot be reached by ssh${said === "" ? "" : `: ${said}`}`,
    remedy: `try: ssh ${request.configPath === undefined ? "" : `-F ${request.configPath} `}${request.host} true`,
  });
}

const DEADLY = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** ssh does not notice that we were ended: a signal that ends us ends it first. Call what comes back when it is closed. */
function endWithUs(pid: number): () => void {
  const end = (signal: NodeJS.Signals): void => {
    terminate(pid);
    release();
    // The last of several that listen lets the signal do what it does by itself.
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };
  const release = (): void => {
    for (const signal of DEADLY) process.off(signal, end);
  };
  for (const signal of DEADLY) process.on(signal, end);
  return release;
}

function terminate(pid: number): void {
  try {
    process.kill(pid, "SIGTERM");
  } catch {
    // It has ended already.
  }
}

function forwardArgs(request: ForwardRequest, socket: string): readonly string[] {
  return [
    ...(request.configPath === undefined ? [] : ["-F", request.configPath]),
    "-N",
    // A connection of its own: a shared one would keep the forwarding after this program ended.
    ...[
      "ControlMaster=no",
      "ControlPath=none",
      "BatchMode=yes",
      "ExitOnForwardFailure=yes",
      "StreamLocalBindUnlink=yes",
    ].flatMap((option) => ["-o", option]),
    "-L",
    `${socket}:${request.remoteSocket}`,
    request.host,
  ];
}

/** The file alone is no sign: ssh binds the socket a moment before it listens, and a caller in between is refused. */
function canConnect(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
  });
}
