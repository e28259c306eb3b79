/** Finds and reads the spec that a command works on. */
import { existsSync } from "node:fs";
import { open } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { Fault, messageOf } from "../base/fault.ts";
import { labPaths } from "../lab/paths.ts";
import { parseSpec } from "../model/load.ts";
import { specFault, type SpecWarning } from "../model/problem.ts";
import { TEXT_BYTES_MAX } from "../model/source.ts";
import type { Spec } from "../model/spec.ts";

export interface SpecText {
  /** As given or found; for messages. */
  readonly path: string;
  readonly text: string;
}

export interface SpecFile extends SpecText {
  /** As written, but for `cluster.ssh.config`, which is absolute here. */
  readonly spec: Spec;
  readonly warnings: readonly SpecWarning[];
}

/** Where a spec is looked for without -f, in this order. */
export interface SpecPlaces {
  readonly candidates: readonly string[];
  /** The spec of a running lab: used last, and said aloud, because nobody asked for it by name. */
  readonly lab: string;
  readonly note: (line: string) => void;
}

/** For a command's `-f, --file <path>`. */
export const FILE_OPTION = {
  flags: "-f, --file <path>",
  help: "the spec; by default ./holdfast.yaml, /etc/holdfast/holdfast.yaml or the running lab's",
};

/** The value of a command's `--file`. */
export function fileOption(options: Readonly<Record<string, unknown>>): string | undefined {
  const given = options["file"];
  return typeof given === "string" ? given : undefined;
}

export function defaultPlaces(): SpecPlaces {
  return {
    candidates: ["holdfast.yaml", "/etc/holdfast/holdfast.yaml"],
    lab: labPaths("lab").spec,
    note: (line) => void process.stderr.write(`${line}\n`),
  };
}

/**
 * The spec at `path`, or the first that exists of the default places.
 * Throws Faults of kind "invalid": "spec-missing", "spec-unreadable", "invalid-spec" (with every problem).
 */
export async function readSpecFile(path: string | undefined, places: SpecPlaces = defaultPlaces()): Promise<SpecFile> {
  const found = await readSpecText(path, places);
  const parsed = parseSpec(found.text);
  if (!parsed.ok) throw specFault(found.path, parsed.problems);
  return { ...found, spec: withSshConfig(parsed.spec, found.path), warnings: parsed.warnings };
}

/** The text alone, for those who want the problems as values. */
export async function readSpecText(path: string | undefined, places: SpecPlaces = defaultPlaces()): Promise<SpecText> {
  if (path !== undefined) return { path, text: await readText(path) };
  for (const candidate of places.candidates) {
    if (existsSync(candidate)) return { path: candidate, text: await readText(candidate) };
  }
  if (existsSync(places.lab)) {
    places.note(`using the lab's spec ${places.lab}`);
    return { path: places.lab, text: await readText(places.lab) };
  }
  throw new Fault({
    kind: "invalid",
    code: "spec-missing",
    what: `no spec: neither ${places.candidates.join(" nor ")} exists, and no lab is set up`,
    remedy: "name one with -f FILE, or write one with `holdfast init`",
  });
}

/** Reads at most one byte more than a spec may have, so that a huge file costs nothing. */
async function readText(path: string): Promise<string> {
  let bytes: Buffer;
  try {
    await using file = await open(path, "r");
    const buffer = Buffer.alloc(TEXT_BYTES_MAX + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, null);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    bytes = buffer.subarray(0, length);
  } catch (error) {
    throw unreadable(path, error);
  }
  if (bytes.length > TEXT_BYTES_MAX) {
    throw new Fault({
      kind: "invalid",
      code: "spec-too-large",
      what: `${path} is larger than ${TEXT_BYTES_MAX} bytes, the most that a spec may have`,
      why: "a spec of the largest cluster stays far below that, so this is some other file",
      remedy: "name the right file with -f FILE",
    });
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw new Fault({
      kind: "invalid",
      code: "spec-not-text",
      what: `${path} is not UTF-8 text`,
      why: "a spec is a text file, so this one is binary, damaged or in another encoding",
      remedy: "name the right file with -f FILE, or save it as UTF-8",
      cause: error,
    });
  }
}

function unreadable(path: string, error: unknown): Fault {
  const code = (error as { code?: string }).code;
  if (code === "ENOENT") {
    return new Fault({
      kind: "invalid",
      code: "spec-missing",
      what: `there is no file ${path}`,
      remedy: "name the spec with -f FILE, or write one with `holdfast init`",
    });
  }
  const directory = code === "EISDIR";
  return new Fault({
    kind: "invalid",
    code: "spec-unreadable",
    what: directory ? `${path} is a folder` : `${path} cannot be read: ${messageOf(error)}`,
    remedy: directory
      ? `name the file in it, e.g. -f ${join(path, "holdfast.yaml")}`
      : "check the file's permissions, or run as a user who may read it",
  });
}

/**
 * With `cluster.ssh.config` as an absolute path: it is written relative to the spec file, or with ~ for the home folder,
 * and the commands that use it know neither.
 */
function withSshConfig(spec: Spec, specPath: string): Spec {
  const given = spec.cluster.ssh.config;
  if (given === undefined) return spec;
  const config = given.startsWith("~/") ? join(homedir(), given.slice(2)) : resolve(dirname(specPath), given);
  return { ...spec, cluster: { ...spec.cluster, ssh: { config } } };
}
