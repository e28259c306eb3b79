/** An Io that keeps what a command says, so that a test can run the command as a user would. */
import type { CliCommand, Io } from "../src/cli/command.ts";

export interface RecordedRun {
  readonly status: number;
  readonly said: readonly string[];
  readonly progress: readonly string[];
  readonly documents: readonly unknown[];
}

/** Runs the command with these options and records what it says; its Faults are thrown on. */
export async function recordRun(
  command: CliCommand,
  options: Readonly<Record<string, unknown>>,
  args: readonly string[] = [],
): Promise<RecordedRun> {
  const said: string[] = [];
  const progress: string[] = [];
  const documents: unknown[] = [];
  const io: Io = {
    json: options["json"] === true,
    terminal: false,
    say: (line) => void said.push(line),
    progress: (line) => void progress.push(line),
    document: (value) => void documents.push(value),
    closed: () => false,
  };
  const status = await command.run({ args, options, io });
  return { status, said, progress, documents };
}
