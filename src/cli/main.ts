import { Command as Program, CommanderError } from "commander";
import packageJson from "../../package.json" with { type: "json" };
import { explain, faultDocument, toFault, type FaultKind } from "../base/fault.ts";
import { unreachable } from "../base/assert.ts";
import type { CliCommand, Io } from "./command.ts";
import { COMMANDS } from "./commands.ts";

const EXIT_STATUS: Readonly<Record<FaultKind, number>> = { failed: 1, invalid: 2, refused: 3 };

export async function main(argv: readonly string[]): Promise<number> {
  let status = 0;
  const program = new Program("holdfast")
    .description("A highly available NFS service: fileservers that move whole, measured from the client's side.")
    .version(packageJson.version, "--version", "print the version")
    .helpCommand(false)
    .exitOverride();
  const groups = new Map<string, Program>();
  for (const command of COMMANDS) {
    const parent = command.words.slice(0, -1).reduce((at, word) => groupOf(groups, at, word), program);
    parent.addCommand(buildCommand(command, (result) => (status = result)));
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

function buildCommand(command: CliCommand, done: (status: number) => void): Program {
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
    const options = program.opts<Record<string, unknown>>();
    done(await runCommand(command, args, options));
  });
  return program;
}

async function runCommand(
  command: CliCommand,
  args: readonly string[],
  options: Record<string, unknown>,
): Promise<number> {
  const io = makeIo(options["json"] === true);
  try {
    return await command.run({ args, options, io });
  } catch (error) {
    for (const line of explain(error)) process.stderr.write(`${line}\n`);
    io.document({ error: faultDocument(error) });
    return EXIT_STATUS[toFault(error).kind];
  }
}

function makeIo(json: boolean): Io {
  return {
    json,
    terminal: process.stdout.isTTY && !json,
    say: (line) => void (json || process.stdout.write(`${line}\n`)),
    progress: (line) => void process.stderr.write(`${line}\n`),
    document: (value) => void (json && process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)),
  };
}
