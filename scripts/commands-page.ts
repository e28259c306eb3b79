/** The page docs/commands.md, made from the commands themselves. */
import type { Argument, CliCommand, Option } from "../src/cli/command.ts";

const INTRODUCTION = `# Commands

This page is made from the commands themselves (\`UPDATE_GOLDEN=1 ./test --unit\`); do not edit it.

Every command takes \`--help\` and \`--json\`. With \`--json\` stdout carries exactly one JSON document, and progress goes to stderr. Without a terminal there is no colour and nothing is redrawn.

| exit status | meaning |
| --- | --- |
| 0 | done |
| 1 | tried, and failed |
| 2 | wrong usage or an invalid spec; nothing was tried |
| 3 | refused, because it could lose data or serve twice; nothing was changed |
`;

export function commandsPage(commands: readonly CliCommand[]): string {
  return [INTRODUCTION, ...commands.map(commandSection)].join("\n");
}

function commandSection(command: CliCommand): string {
  const usage = ["holdfast", ...command.words, ...command.arguments.map(argumentUsage)].join(" ");
  const rows = [...command.arguments.map(argumentRow), ...command.options.map(optionRow)];
  const table = rows.length === 0 ? [] : ["", "| | | default |", "| --- | --- | --- |", ...rows];
  const details = command.details === undefined ? [] : ["", "```text", command.details.trim(), "```"];
  const summary = `${command.summary.charAt(0).toUpperCase()}${command.summary.slice(1)}.`;
  return [`## ${usage}`, "", summary, ...table, ...details, ""].join("\n");
}

function argumentUsage(argument: Argument): string {
  const name = `${argument.name.toUpperCase()}${argument.variadic === true ? "…" : ""}`;
  return argument.optional === true ? `[${name}]` : name;
}

function argumentRow(argument: Argument): string {
  return `| ${argument.name.toUpperCase()} | ${inCell(argument.help)} | |`;
}

function optionRow(option: Option): string {
  const given = option.default === undefined ? "" : `\`${option.default}\``;
  return `| \`${inCell(option.flags)}\` | ${inCell(option.help)} | ${given} |`;
}

function inCell(text: string): string {
  return text.replaceAll("|", "\\|");
}
