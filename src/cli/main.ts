import { Command as Program, CommanderError } from "commander";
import packageJson from "../../package.json" with { type: "json" };
import { explain, faultDocument, toFault, type FaultKind } from "../base/fault.ts";
import { unreachable } from "../base/assert.ts";
import type { CliCommand, Io } from "./command.ts";
import { entriesFor, loadCommands } from "./commands.ts";
import { printerTo, type Printer } from "./printer.ts";

const EXIT_STATUS: Readonly<Record<FaultKind, number>> = { failed: 1, invalid: 2, refused: 3 };

export async function main(argv: readonly string[]): Promise<number> {
  // Made first: commander prints to these streams too.
  const printers: Printers = { out: printerTo(process.stdout), err: printerTo(process.stderr) };
  const status = await runProgram(argv, printers);
  const failure = await printers.out.flush();
  if (failure === undefined) return status;
  printers.err.print(`the result could not be written: ${failure.message}\n`);
  return status === 0 ? EXIT_STATUS.failed : status;
}

interface Printers {
  readonly out: Printer;
  readonly err: Printer;
}

async function runProgram(argv: readonly string[], printers: Printers): Promise<number> {
  let status = 0;
  const program = new Program("holdfast")
    .description("A highly available NFS service: fileservers that move whole, measured from the client's side.")
    .version(packageJson.version, "--version", "print the version")
    .helpCommand(false)
    .exitOverride();
  const groups = new Map<string, Program>();
  for (const command of await loadCommands(entriesFor(argv))) {
    const parent = command.words.slice(0, -1).reduce((at, word) => groupOf(groups, at, word), program);
    const run: Run = async (args, options) => void (status = await runCommand(command, args, options, printers));
    parent.addCommand(buildCommand(command, run));
  }
  try {
    await program.parseAsync(argv, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    throw error;
  }
  return status;
}

const GROUP_SUMMARIES: Readonly<Record<string, string>> = {
  import: "bring in what another system is configured to do",
  lab: "virtual machines, networks, storage and faults to try everything on",
};

function groupOf(groups: Map<string, Program>, parent: Program, word: string): Program {
  const existing = groups.get(word);
  if (existing !== undefined) return existing;
  const group = new Program(word)
    .description(GROUP_SUMMARIES[word] ?? "")
    .helpCommand(false)
    .exitOverride();
  groups.set(word, group);
  parent.addCommand(group);
  return group;
}

type Run = (args: readonly string[], options: Record<string, unknown>) => Promise<void>;

function buildCommand(command: CliCommand, run: Run): Program {
  const word = command.words.at(-1);
  if (word === undefined) return unreachable(word as never);
  const program = new Program(word).description(command.summary).exitOverride().helpCommand(false);
  for (const argument of command.arguments) {
    const name = argument.variadic === true ? `${argument.name}...` : argument.name;
    program.argument(argument.optional === true ? `[${name}]` : `<${name}>`, argument.help);
  }
  for (const option of command.options) program.option(option.flags, option.help, option.default as string);
  program.option("--json", "print one JSON document on stdout, progress on stderr");
  if (command.details !== undefined) program.addHelpText("after", `\n${command.details}`);
  program.action(async (...given: unknown[]) => {
    const args = given
      .slice(0, command.arguments.length)
      .flat()
      .filter((value) => value !== undefined) as string[];
    await run(args, program.opts<Record<string, unknown>>());
  });
  return program;
}

async function runCommand(
  command: CliCommand,
  args: readonly string[],
  options: Record<string, unknown>,
  printers: Printers,
): Promise<number> {
  const io = makeIo(options["json"] === true, printers);
  try {
    return await command.run({ args, options, io });
  } catch (error) {
    for (const line of explain(error)) printers.err.print(`${line}\n`);
    io.document({ error: faultDocument(error) });
    return EXIT_STATUS[toFault(error).kind];
  }
}

function makeIo(json: boolean, { out, err }: Printers): Io {
  return {
    json,
    terminal: process.stdout.isTTY && !json,
    say: (line) => void (json || out.print(`${line}\n`)),
    progress: (line) => err.print(`${line}\n`),
    document: (value) => void (json && out.print(`${JSON.stringify(value, null, 2)}\n`)),
    closed: () => out.closed(),
  };
}
