/** Where Holdfast's own program comes from when it goes onto a node. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { isSea } from "node:sea";
import { Fault } from "../base/fault.ts";
import type { NodeShell } from "./node-shell.ts";

export interface ProgramFile {
  readonly path: string;
  /** On this machine. */
  readonly source: string;
}

export type ProgramSource =
  /** One executable, which needs nothing else. */
  | { readonly kind: "executable"; readonly source: string }
  /** One module and the Node that runs it; a lab's machines have it so. */
  | { readonly kind: "module"; readonly module: string; readonly node: string }
  | { readonly kind: "none"; readonly why: string };

const PROGRAM_PATH = "/usr/bin/holdfast";
const MODULE_PATH = "/usr/lib/holdfast/holdfast.mjs";
const NODE_PATH = "/usr/lib/holdfast/node";
const WRAPPER = `#!/bin/sh\nexec ${NODE_PATH} --no-warnings ${MODULE_PATH} "$@"\n`;

/** What runs is what is given away; a source tree gives the executable that was built from it. */
export function ownProgram(): ProgramSource {
  if (isSea()) return { kind: "executable", source: process.execPath };
  const running = process.argv[1] ?? "";
  if (basename(running) === "holdfast.mjs") return { kind: "module", module: running, node: process.execPath };
  const built = join(import.meta.dirname, "../../dist/holdfast");
  if (existsSync(built)) return { kind: "executable", source: built };
  return { kind: "none", why: "dist/holdfast was not built: npm run build" };
}

export async function putProgram(shell: NodeShell, program: ProgramSource): Promise<void> {
  if (program.kind === "none") {
    throw new Fault({
      code: "program-missing",
      what: `there is no program to copy to ${shell.node}`,
      why: program.why,
      remedy: "build it, or apply with the executable that was released",
    });
  }
  if (program.kind === "executable") {
    await shell.put(PROGRAM_PATH, await readFile(program.source), 0o755);
    return;
  }
  await shell.put(NODE_PATH, await readFile(program.node), 0o755);
  await shell.put(MODULE_PATH, await readFile(program.module), 0o644);
  await shell.put(PROGRAM_PATH, WRAPPER, 0o755);
}
