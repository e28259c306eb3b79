/** `holdfast import pacemaker`: a hand-built Pacemaker NFS group as a spec, with findings. Changes nothing. */
import { open, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { Fault, messageOf } from "../base/fault.ts";
import { checkName } from "../model/leaf.ts";
import { parseCib } from "../pacemaker/cib.ts";
import { importCib, type CibFinding } from "../pacemaker/import-cib.ts";
import type { CliCommand } from "./command.ts";

/** Those of the largest clusters stay far below it. */
const CIB_BYTES_MAX = 16 * 1024 * 1024;

export const IMPORT_PACEMAKER: CliCommand = {
  words: ["import", "pacemaker"],
  summary: "read a hand-built Pacemaker NFS group and write it as a spec, with what was found",
  details: [
    "CIBFILE is what `cibadmin --query` prints. Prints the spec, or writes it to --output; the findings go to stderr.",
    "FILL-IN stands where only you know. Changes nothing on any machine, and never overwrites a file (exit status 3).",
    "With --json: { text, findings: [{ weight, code, about, what, remedy }], steps }.",
    "Exit status 0 when nothing must be done before the spec can be used, 1 otherwise.",
  ].join("\n"),
  arguments: [{ name: "cibfile", help: "a file with the output of cibadmin --query" }],
  options: [
    { flags: "-o, --output <path>", help: "where to write the spec" },
    { flags: "--cluster <name>", help: "the new cluster's name", default: "holdfast" },
  ],
  run: async ({ args, options, io }) => {
    const [path = ""] = args;
    const name = typeof options["cluster"] === "string" ? options["cluster"] : "holdfast";
    const bad = checkName(name);
    if (bad !== undefined) throw new Fault({ kind: "invalid", code: bad.code, what: bad.what, remedy: bad.remedy });
    const imported = importCib(parseGiven(await readBounded(path), path), name);
    const output = options["output"];
    if (typeof output === "string") await writeNew(output, imported.text);
    io.document({ ...imported });
    for (const finding of imported.findings) io.progress(findingLine(finding));
    for (const [index, step] of imported.steps.entries()) io.progress(`step ${index + 1}: ${step}`);
    if (typeof output === "string") io.say(`wrote ${output}; holdfast check -f ${output} tells what is left`);
    else io.say(imported.text.trimEnd());
    return imported.findings.some(({ weight }) => weight === "must") ? 1 : 0;
  },
};

export function findingLine(finding: CibFinding): string {
  return `${finding.weight.padEnd(6)} ${finding.about}: ${finding.what}\n       do: ${finding.remedy}`;
}

function parseGiven(text: string, path: string) {
  try {
    return parseCib(text, path).root;
  } catch (error) {
    throw new Fault({
      kind: "invalid",
      code: "cib-invalid",
      what: messageOf(error),
      remedy: "give the output of: cibadmin --query",
      cause: error,
    });
  }
}

async function readBounded(path: string): Promise<string> {
  try {
    await using file = await open(path, "r");
    const { size } = await file.stat();
    if (size > CIB_BYTES_MAX) throw new Error(`it is larger than ${CIB_BYTES_MAX} bytes`);
    return await file.readFile("utf8");
  } catch (error) {
    throw new Fault({
      kind: "invalid",
      code: "cib-unreadable",
      what: `${path} cannot be read: ${messageOf(error)}`,
      remedy: "give the output of: cibadmin --query",
    });
  }
}

async function writeNew(path: string, text: string): Promise<void> {
  if (existsSync(path)) {
    throw new Fault({ kind: "refused", code: "file-exists", what: `${path} is there already; nothing was written` });
  }
  await writeFile(path, text, { flag: "wx" });
}
