/** A command inside another one. */
import { Fault, type FaultDocument } from "../base/fault.ts";
import type { CliCommand, Io } from "./command.ts";
import type { Progress } from "../drill/ports.ts";

/** Finds a command by its words: the drill uses `move` as an operator would. */
export type FindCommand = (...words: readonly string[]) => Promise<CliCommand | undefined>;

interface QuietInvocation {
  readonly args: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
}

/** Runs a command inside this one: its progress goes on, its document is returned, failing is a Fault. */
export async function runQuietly(
  command: CliCommand,
  invocation: QuietInvocation,
  progress: Progress,
): Promise<unknown> {
  const documents: unknown[] = [];
  const io: Io = {
    json: true,
    terminal: false,
    say: () => undefined,
    progress,
    document: (value) => void documents.push(value),
    closed: () => false,
  };
  const status = await command.run({ ...invocation, io });
  const document = documents.at(-1);
  if (status === 0) return document;
  const said = (document as { readonly error?: FaultDocument } | undefined)?.error;
  throw new Fault({
    code: "inner-command-failed",
    what: `holdfast ${command.words.join(" ")} ended with status ${status}${said === undefined ? "" : `: ${said.what}`}`,
    ...(said?.remedy === undefined ? {} : { remedy: said.remedy }),
  });
}
