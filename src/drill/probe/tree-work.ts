/**
 * Work on a real tree: files are read and compared with a manifest, every few rounds one is written anew the way
 * editors and package managers do (a new file, renamed over the old), and a small set of generation files is rewritten
 * and read back, where anything but the last acknowledged generation is a stale read.
 */
import { hash } from "node:crypto";
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { STALE_CONTENT, WRONG_CONTENT } from "../oracles.ts";
import { contentError, type Work } from "./loop.ts";

export interface TreeSettings {
  /** Folder with `tree/` and `tree.md5` (as md5sum writes it, paths relative to the tree). */
  readonly directory: string;
  readonly client: number;
}

const REWRITE_EVERY = 5;
const GENERATION_EVERY = 7;
const GENERATION_FILES = 16;
/** Coprime to any realistic count of files that is not a multiple of it: every file is visited, neighbours are not. */
const STRIDE = 7919;

export function treeWork(settings: TreeSettings): Work {
  const root = join(settings.directory, "tree");
  const sums = readManifest(join(settings.directory, "tree.md5"));
  const generations = generationFiles(join(settings.directory, `generations-${settings.client}`));
  let round = 0;
  let at = settings.client % sums.length;
  return {
    once: () => {
      round += 1;
      at = (at + STRIDE) % sums.length;
      const entry = sums[at];
      if (entry === undefined) return undefined;
      const path = join(root, entry.path);
      const content = readFileSync(path);
      const sum = hash("md5", content);
      if (sum !== entry.md5) throw contentError(WRONG_CONTENT, "read", `${entry.path}: ${sum}, not ${entry.md5}`);
      if (round % REWRITE_EVERY === 0) replaceFile(path, content, settings.client);
      if (round % GENERATION_EVERY === 0) generations.step();
      return undefined;
    },
    close: () => undefined,
  };
}

interface Entry {
  readonly md5: string;
  readonly path: string;
}

/** md5sum(1): 32 hexadecimal digits, a space, a space or `*`, the name. Names with a backslash or newline are left out. */
export function parseManifest(text: string): readonly Entry[] {
  const entries: Entry[] = [];
  for (const line of text.split("\n")) {
    const match = /^([0-9a-f]{32}) [ *](.+)$/.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined) entries.push({ md5: match[1], path: match[2] });
  }
  return entries;
}

function readManifest(path: string): readonly Entry[] {
  const entries = parseManifest(readFileSync(path, "utf8"));
  if (entries.length === 0) throw contentError("EMANIFEST", "read", `${path} names no file`);
  return entries;
}

function replaceFile(path: string, content: Buffer, client: number): void {
  const temporary = join(dirname(path), `.holdfast-${client}.tmp`);
  const descriptor = openSync(temporary, "w", 0o644);
  try {
    writeSync(descriptor, content);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(temporary, path);
}

function generationFiles(directory: string): { step(): void } {
  mkdirSync(directory, { recursive: true });
  const acknowledged = Array.from({ length: GENERATION_FILES }, () => 0);
  const pathOf = (slot: number): string => join(directory, `generation-${slot}`);
  for (let slot = 0; slot < GENERATION_FILES; slot += 1) writeFileSync(pathOf(slot), "0\n");
  let slot = 0;
  return {
    step: () => {
      slot = (slot + 1) % GENERATION_FILES;
      const path = pathOf(slot);
      const wanted = acknowledged[slot] ?? 0;
      const found = Number(readFileSync(path, "utf8"));
      if (found !== wanted) {
        const code = found < wanted ? STALE_CONTENT : WRONG_CONTENT;
        throw contentError(code, "read", `generation-${slot} is ${found}, acknowledged was ${wanted}`);
      }
      replaceFile(path, Buffer.from(`${wanted + 1}\n`), slot);
      acknowledged[slot] = wanted + 1;
    },
  };
}
