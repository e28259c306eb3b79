import { explain, toFault } from "../base/fault.ts";
import { deviceName } from "../model/device.ts";
import { parseSpec } from "../model/load.ts";
import { formatProblem, PROBLEMS_TOLD_MAX, type SpecProblem, type SpecWarning } from "../model/problem.ts";
import type { FileserverSpec, Spec } from "../model/spec.ts";
import type { CliCommand, Io } from "./command.ts";
import { FILE_OPTION, fileOption, readSpecText, type SpecText } from "./spec-file.ts";

export const CHECK: CliCommand = {
  words: ["check"],
  summary: "validate a spec, offline",
  details: "Tells every problem with its line, why it matters and what to write; exit status 2 when there is one.",
  arguments: [],
  options: [FILE_OPTION],
  run: async ({ options, io }) => {
    const given = fileOption(options);
    let read: SpecText;
    try {
      read = await readSpecText(given);
    } catch (error) {
      return sayUnreadable(io, given, error);
    }
    const { path, text } = read;
    const parsed = parseSpec(text);
    if (parsed.ok) {
      sayValid(io, path, parsed.spec, parsed.warnings);
      return 0;
    }
    sayInvalid(io, path, parsed.problems);
    return 2;
  },
};

function sayValid(io: Io, path: string, spec: Spec, warnings: readonly SpecWarning[]): void {
  io.document({ valid: true, path, problems: [], warnings });
  for (const line of describeSpec(spec)) io.say(line);
  for (const warning of warnings) io.say(`warning: ${formatProblem(path, warning)}`);
  io.say(`${path} is valid${warnings.length === 0 ? "" : `, with ${count(warnings.length, "warning")}`}`);
}

/** A file that cannot be read at all is a problem like any other for those who read the document. */
function sayUnreadable(io: Io, given: string | undefined, error: unknown): number {
  const fault = toFault(error);
  if (fault.kind !== "invalid") throw error;
  const problem = { code: fault.code, path: "", line: 1, column: 1, what: fault.message };
  const rest = { why: fault.why ?? "", remedy: fault.remedy ?? "" };
  io.document({ valid: false, path: given ?? null, problems: [{ ...problem, ...rest }], warnings: [] });
  for (const line of explain(fault)) io.progress(line);
  return 2;
}

function sayInvalid(io: Io, path: string, problems: readonly SpecProblem[]): void {
  io.document({ valid: false, path, problems, warnings: [] });
  for (const problem of problems.slice(0, PROBLEMS_TOLD_MAX)) io.say(formatProblem(path, problem));
  const more = problems.length - PROBLEMS_TOLD_MAX;
  if (more > 0) io.say(`and ${more} more`);
  io.say(`${path} is not valid: ${count(problems.length, "problem")}`);
}

/** What the spec means, in a few lines. */
export function describeSpec(spec: Spec): readonly string[] {
  const { cluster } = spec;
  const nodes = cluster.nodes.map((node) => node.name).join(", ");
  return [
    `cluster ${cluster.name}, engine ${cluster.engine}: ${count(cluster.nodes.length, "node")} (${nodes}), ${count(spec.fileservers.length, "fileserver")}`,
    ...spec.fileservers.flatMap(describeFileserver),
  ];
}

function describeFileserver(fileserver: FileserverSpec): readonly string[] {
  const addresses = fileserver.addresses.map((each) => `${each.address}/${each.prefixLength}`).join(", ");
  const place = fileserver.placement.prefer === undefined ? "" : `, prefers ${fileserver.placement.prefer}`;
  return [
    `fileserver ${fileserver.name}: ${fileserver.hostname}, ${addresses} on ${fileserver.interface} (${fileserver.link}), NFS ${fileserver.protocols.join(" and ")}${place}`,
    ...fileserver.exports.map((item) => {
      const volume = fileserver.volumes.find((each) => each.name === item.volume);
      const device = volume === undefined ? "" : ` (${deviceName(volume.device)}, ${volume.filesystem})`;
      const clients = item.clients.map((client) => `${client.match} ${client.options[0] ?? ""}`).join(", ");
      return `  ${item.path} on ${item.volume}${device} for ${clients}`;
    }),
  ];
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
