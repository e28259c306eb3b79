/** The agent's end of a holder (linux/holder.ts): sends commands into a fileserver's namespaces and hears how they ended. */
import { closeSync, constants, openSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import { randomBytes } from "node:crypto";
import { Fault } from "../base/fault.ts";
import {
  encodeRequest,
  errorsFile,
  HOLDER_FILES,
  isRequestsFile,
  outputFile,
  parseAnswer,
  requestFile,
  type HolderCommand,
} from "../linux/holder.ts";

export interface HolderResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface HolderClient {
  /** Runs the commands in order inside the namespaces, up to the first that fails. Rejects when no answer comes in time. */
  run(commands: readonly HolderCommand[], timeoutMs: number): Promise<HolderResult>;
  /** What was given up, and has not ended: it may still do what it was sent for. */
  overdue(): readonly string[];
  close(): void;
}

const SAID_CHARACTERS_MAX = 2_000;

/** Files of requests that an agent before this one left behind are taken away; see `waitForCommands` in start-holder.ts. */
export function openHolder(folder: string): HolderClient {
  for (const name of readdirSync(folder)) if (isRequestsFile(name)) rmSync(`${folder}/${name}`, { force: true });
  // The socket owns the descriptor from here on; opening a FIFO for reading without waiting cannot block.
  const descriptor = openSync(`${folder}/${HOLDER_FILES.answers}`, constants.O_RDONLY | constants.O_NONBLOCK);
  // A pipe handle: reads of a FIFO in libuv's thread pool would hold a thread each.
  const answers = new Socket({ fd: descriptor, readable: true, writable: false });
  const waiting = new Map<string, (status: number) => void>();
  const overdue = new Map<string, string>();
  // Another agent's requests may still be answered: its numbers are not ours.
  const prefix = randomBytes(4).toString("hex");
  let count = 0;
  let rest = "";
  answers.on("data", (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const answer = parseAnswer(line);
      if (answer === undefined) continue;
      if (overdue.delete(answer.id)) removeFiles(answer.id);
      waiting.get(answer.id)?.(answer.status);
    }
  });
  answers.on("error", () => undefined);
  answers.unref();

  // The folder is a tmpfs: its files are written and read at once, without the detour through libuv's threads.
  async function run(commands: readonly HolderCommand[], timeoutMs: number): Promise<HolderResult> {
    const id = `${prefix}-${count++}`;
    writeFileSync(`${folder}/${requestFile(id)}`, encodeRequest(commands), { mode: 0o600 });
    try {
      const status = await answerTo(id, commands, timeoutMs);
      const [stdout, stderr] = [outputFile(id), errorsFile(id)].map((name) =>
        readFileSync(`${folder}/${name}`, "utf8"),
      );
      return { status, stdout: stdout ?? "", stderr: stderr ?? "" };
    } finally {
      // The files of what is given up stay until it has ended: by them it is seen (start-holder.ts).
      if (!overdue.has(id)) removeFiles(id);
    }
  }

  function removeFiles(id: string): void {
    for (const name of [requestFile(id), outputFile(id), errorsFile(id)]) rmSync(`${folder}/${name}`, { force: true });
  }

  function answerTo(id: string, commands: readonly HolderCommand[], timeoutMs: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        waiting.delete(id);
      };
      const timer = setTimeout(() => {
        end();
        overdue.set(id, describe(commands));
        reject(
          new Fault({ code: "holder-timed-out", what: `${describe(commands)} did not end within ${timeoutMs} ms` }),
        );
      }, timeoutMs);
      waiting.set(id, (status) => {
        end();
        resolve(status);
      });
      try {
        send(id);
      } catch (error) {
        end();
        reject(new Fault({ code: "holder-gone", what: `no holder listens in ${folder}`, cause: error }));
      }
    });
  }

  function send(id: string): void {
    // Without a reader this open fails (ENXIO): a dead holder is noticed, not waited for.
    const commandsFile = openSync(`${folder}/${HOLDER_FILES.commands}`, constants.O_WRONLY | constants.O_NONBLOCK);
    try {
      writeSync(commandsFile, `${id}\n`);
    } finally {
      closeSync(commandsFile);
    }
  }

  return { run, overdue: () => [...overdue.values()], close: () => void answers.destroy() };
}

/** Runs commands that must succeed; anything else is a Fault with what the programs said. */
export async function runInside(
  holder: HolderClient,
  commands: readonly HolderCommand[],
  timeoutMs: number,
): Promise<string> {
  const result = await holder.run(commands, timeoutMs);
  if (result.status !== 0) {
    throw new Fault({
      code: "command-failed",
      what: `${describe(commands)} ended with status ${result.status}: ${saidBy(result)}`,
    });
  }
  return result.stdout;
}

/** What a failed command said, for a message. */
export function saidBy(result: HolderResult): string {
  return (result.stderr.trim() || result.stdout.trim() || "no output").slice(0, SAID_CHARACTERS_MAX);
}

function describe(commands: readonly HolderCommand[]): string {
  return commands.map((command) => command.join(" ")).join("; ");
}
