import { readFile } from "node:fs/promises";
import { importDirector, type ImportFinding, type Imported, type ImportGround } from "../balance/import-director.ts";
import { readOldConfiguration } from "../balance/old-configuration.ts";
import { Fault, messageOf } from "../base/fault.ts";
import { parseAddress } from "../model/address.ts";
import { isName } from "../model/names.ts";
import type { CliCommand } from "./command.ts";
import { FILE_OPTION, fileOption, readSpecFile } from "./spec-file.ts";

export const IMPORT_DIRECTOR: CliCommand = {
  words: ["import", "director"],
  summary: "turn a hand-made director's configuration into `directors:` of a spec",
  details:
    "Reads sections `director NAME` (balance, mode, check, option, server … weight … check, server … sorry) and\n" +
    "`flow NAME director NAME` with `match iface … dst …`, and prints YAML to add to a spec. What differs, and what has to\n" +
    "be filled in, is told on stderr with the old file's lines. With -f, a flow with a fileserver's address becomes that\n" +
    "fileserver's service. Exit status 0 when nothing has to be filled in or decided, 1 otherwise.",
  arguments: [{ name: "file", help: "the old configuration" }],
  options: [
    { flags: FILE_OPTION.flags, help: "the spec that it is added to" },
    { flags: "--machines <list>", help: "the director's machines, e.g. d1=10.77.0.31,d2=10.77.0.32" },
  ],
  run: async ({ args, options, io }) => {
    const ground = await groundOf(options);
    const imported = importDirector(readOldConfiguration(await readOld(args[0] ?? "")), ground);
    io.document(documentOf(imported));
    io.say(imported.text.trimEnd());
    for (const line of imported.findings.map(findingText)) io.progress(line);
    return isComplete(imported) ? 0 : 1;
  },
};

async function groundOf(options: Readonly<Record<string, unknown>>): Promise<ImportGround> {
  const file = fileOption(options);
  return {
    machines: machinesOf(options["machines"]),
    fileservers: file === undefined ? [] : (await readSpecFile(file)).spec.fileservers,
  };
}

function machinesOf(given: unknown): ImportGround["machines"] {
  if (typeof given !== "string") return [];
  return given.split(",").map((text) => {
    const [name = "", address = ""] = text.split("=", 2);
    if (isName(name) && parseAddress(address) !== undefined) return { name, address };
    throw new Fault({
      kind: "invalid",
      code: "wrong-usage",
      what: `${JSON.stringify(text)} is not a machine's name and address`,
      remedy: "write e.g. --machines d1=10.77.0.31,d2=10.77.0.32",
    });
  });
}

async function readOld(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new Fault({
      kind: "invalid",
      code: "file-unreadable",
      what: `${path} cannot be read: ${messageOf(error)}`,
      remedy: "give the file with the old configuration",
    });
  }
}

function documentOf({ text, findings }: Imported): unknown {
  return { complete: isComplete({ text, findings }), directors: text, findings };
}

function isComplete({ findings }: Imported): boolean {
  return !findings.some(({ weight }) => weight === "must");
}

function findingText({ line, weight, what, remedy }: ImportFinding): string {
  const where = line === 0 ? "" : `line ${line}: `;
  return `${weight.padEnd(6)}  ${where}${what}${remedy === "nothing" ? "" : `; ${remedy}`}`;
}
