/**
 * The one door through which Holdfast starts programs.
 *
 * - No shell, ever: an argument list, so that no name or path can become a command.
 * - Absolute paths from one table (`tools.ts`), no PATH look-up.
 * - An empty environment but for a fixed locale, so that output parses the same everywhere.
 * - A bound on every run; past it the whole process group is killed.
 */
import { spawn } from "node:child_process";
import { Fault, messageOf } from "../base/fault.ts";
import { toolPath, type Tool } from "./tools.ts";

export interface Command {
  readonly tool: Tool;
  readonly args: readonly string[];
  /** Bound for a real machine; the door scales it by its time scale. */
  readonly timeoutMs: number;
  /** Secrets go this way and no other: arguments are seen by every user of the machine. */
  readonly input?: string | Uint8Array;
}

export interface CommandResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Commands {
  /** Resolves with any exit status. Rejects with a Fault when the program could not be started or overran its bound. */
  run(command: Command): Promise<CommandResult>;
}

export interface CommandsOptions {
  /** Multiplies every bound: 1 on real machines, more in an emulated lab. */
  readonly timeScale: number;
}

const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;
const ENVIRONMENT = { LC_ALL: "C.UTF-8", PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };

export function systemCommands(options: CommandsOptions): Commands {
  return { run: (command) => runOnce(command, options) };
}

function runOnce(command: Command, options: CommandsOptions): Promise<CommandResult> {
  const timeoutMs = command.timeoutMs * options.timeScale;
  return new Promise((resolve, reject) => {
    const child = spawn(toolPath(command.tool), command.args, {
      env: ENVIRONMENT,
      detached: true,
      stdio: ["pipe", "pipe", "pipe"],
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let outputBytes = 0;
    let stopped: Fault | undefined;
    const stop = (fault: Fault): void => {
      stopped ??= fault;
      if (child.pid !== undefined) killGroup(child.pid);
    };
    const timer = setTimeout(() => stop(timedOut(command, timeoutMs)), timeoutMs);
    const keep = (into: Buffer[]) => (chunk: Buffer) => {
      outputBytes += chunk.length;
      if (outputBytes > OUTPUT_BYTES_MAX) stop(tooMuchOutput(command));
      else into.push(chunk);
    };
    child.stdout.on("data", keep(stdout));
    child.stderr.on("data", keep(stderr));
    // A program that ends without reading its input closes the pipe; its exit status tells the story.
    child.stdin.on("error", () => undefined);
    child.on("error", (error) => {
      clearTimeout(timer);
      reject(
        new Fault({
          code: "command-not-started",
          what: `could not start ${commandLine(command)}: ${messageOf(error)}`,
          cause: error,
        }),
      );
    });
    child.on("close", (status, signal) => {
      clearTimeout(timer);
      if (stopped !== undefined) reject(stopped);
      else if (status === null)
        reject(new Fault({ code: "command-killed", what: `${commandLine(command)} was ended by ${signal}` }));
      else resolve({ status, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() });
    });
    child.stdin.end(command.input ?? "");
  });
}

/** Runs a command that must succeed; any other status is a Fault carrying what the program said. */
export async function runChecked(commands: Commands, command: Command): Promise<CommandResult> {
  const result = await commands.run(command);
  if (result.status !== 0) throw commandFailed(command, result);
  return result;
}

export function commandFailed(command: Command, result: CommandResult): Fault {
  const said = (result.stderr.trim() || result.stdout.trim() || "no output").slice(0, 2000);
  return new Fault({
    code: "command-failed",
    what: `${commandLine(command)} ended with status ${result.status}: ${said}`,
  });
}

export function commandLine(command: Pick<Command, "tool" | "args">): string {
  return [command.tool, ...command.args].join(" ");
}

function timedOut(command: Command, timeoutMs: number): Fault {
  return new Fault({ code: "command-timed-out", what: `${commandLine(command)} did not end within ${timeoutMs} ms` });
}

function tooMuchOutput(command: Command): Fault {
  return new Fault({
    code: "command-output-too-large",
    what: `${commandLine(command)} wrote more than ${OUTPUT_BYTES_MAX} bytes`,
  });
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Already gone: the close event follows.
  }
}
