/** Programs that outlive the one that started them, and looking for them again: /proc says what runs, no file remembers it. */
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { Fault, messageOf } from "../base/fault.ts";

export interface RunningProcess {
  readonly pid: number;
  /** Clock ticks since the host's boot (proc_pid_stat(5), field 22): together with the pid it names one process for ever. */
  readonly startTicks: string;
  readonly argv: readonly string[];
}

export interface DaemonCommand {
  /** Absolute path. */
  readonly program: string;
  readonly args: readonly string[];
  /** Its output is appended here. */
  readonly logFile: string;
}

/** Starts a program in a session of its own; it keeps running when this one ends. Resolves once it could be started. */
export function startDaemon(command: DaemonCommand): Promise<number> {
  return new Promise((resolve, reject) => {
    const log = openSync(command.logFile, "a", 0o600);
    const child = spawn(command.program, command.args, {
      detached: true,
      stdio: ["ignore", log, log],
      env: { LC_ALL: "C.UTF-8", PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
    });
    closeSync(log);
    child.on("error", (error) =>
      reject(
        new Fault({
          code: "command-not-started",
          what: `could not start ${command.program}: ${messageOf(error)}`,
          cause: error,
        }),
      ),
    );
    child.on("spawn", () => {
      child.unref();
      if (child.pid !== undefined) resolve(child.pid);
    });
  });
}

/** Every process of the host that can be seen; those that end meanwhile are left out. */
export async function listProcesses(): Promise<readonly RunningProcess[]> {
  const pids = (await readdir("/proc")).filter((name) => /^[0-9]+$/.test(name)).map(Number);
  const found = await Promise.all(pids.map((pid) => lookAt(pid)));
  return found.filter((process) => process !== undefined);
}

async function lookAt(pid: number): Promise<RunningProcess | undefined> {
  try {
    const [stat, cmdline] = await Promise.all([
      readFile(`/proc/${pid}/stat`, "utf8"),
      readFile(`/proc/${pid}/cmdline`, "utf8"),
    ]);
    // The second field is the program's name in parentheses and may hold anything; the rest follows the last one.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const startTicks = fields[19];
    if (startTicks === undefined || fields[0] === "Z") return undefined;
    return { pid, startTicks, argv: cmdline.replace(/\0+$/, "").split("\0") };
  } catch {
    return undefined;
  }
}

/** True while exactly this process (not another with its number) runs. */
export async function isRunning(process: RunningProcess): Promise<boolean> {
  return (await lookAt(process.pid))?.startTicks === process.startTicks;
}

/** Sends a signal to exactly this process; false when it is gone. */
export async function signalProcess(target: RunningProcess, signal: NodeJS.Signals): Promise<boolean> {
  if (!(await isRunning(target))) return false;
  try {
    process.kill(target.pid, signal);
    return true;
  } catch {
    return false;
  }
}

/** Runs a program with this one's own terminal or pipes, and resolves with its exit status (128 + n after signal n is 255 here). */
export function runAttached(program: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: "inherit" });
    // The terminal sends an interrupt to both; the program decides what it means.
    process.on("SIGINT", ignoreInterrupt);
    child.on("error", reject);
    child.on("close", (status) => {
      process.off("SIGINT", ignoreInterrupt);
      resolve(status ?? 255);
    });
  });
}

function ignoreInterrupt(): void {
  // Having a handler at all is what keeps this process alive.
}
