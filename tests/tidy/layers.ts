/** Who may import whom. The words are those of docs/architecture.md: decisions, deeds, programs. */
import { posix } from "node:path";
import { file, isSource, type Finding, type Rule, type TextFile } from "./rule.ts";

const DECISIONS = ["base", "model", "plan", "failover", "balance", "doctor"] as const;
const DEEDS = ["system", "linux", "lvm", "scsi", "nfs", "pacemaker", "ipvs", "ssh"] as const;
const PROGRAMS = ["agent", "apply", "director", "console", "lab", "drill", "simulation", "cli"] as const;

const OF_PROGRAMS: readonly string[] = [...DECISIONS, ...DEEDS, "wire"];

/** Folder of src/ -> folders that it may import besides itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  model: ["base"],
  plan: ["base", "model"],
  failover: ["base", "model"],
  balance: ["base", "model"],
  doctor: ["base", "model"],
  system: ["base", "model"],
  linux: ["base", "model", "system"],
  lvm: ["base", "model", "system"],
  scsi: ["base", "model", "system"],
  // The NFS server is a part of Linux: connections, mounts and locks have their shapes there.
  nfs: ["base", "model", "system", "linux"],
  pacemaker: ["base", "model", "system"],
  ipvs: ["base", "model", "system"],
  ssh: ["base", "model", "system"],
  // What the agent says of a fileserver are the states of the takeover machine.
  wire: ["base", "model", "failover"],
  agent: OF_PROGRAMS,
  apply: OF_PROGRAMS,
  director: OF_PROGRAMS,
  console: OF_PROGRAMS,
  lab: OF_PROGRAMS,
  drill: OF_PROGRAMS,
  // Plays the world around the decisions: it reads no clock, no file and no socket.
  simulation: [...DECISIONS],
  // The command line starts the programs, so it alone sees them; nobody imports it.
  cli: [...OF_PROGRAMS, ...PROGRAMS],
};

/** Packages from outside, and the folders that may use them; any other package is refused until it is entered here. */
const PACKAGE_USERS: Readonly<Record<string, readonly string[]>> = {
  commander: ["cli"],
  // Only in a source tree, to bundle what runs on the lab's machines; never part of what is shipped.
  esbuild: ["lab", "drill"],
  "fast-xml-parser": ["pacemaker"],
  fastify: ["agent", "director", "console"],
  pino: ["agent", "director", "console"],
  yaml: ["model"],
  zod: ["model", "wire", "agent", "lab", "drill"],
};

interface Import {
  readonly target: string;
  readonly line: number;
}

/** Static imports and re-exports, and `import("…")`, as they really stand in the text; comments do not count. */
export function importsOf(text: string): readonly Import[] {
  const code = text
    .replaceAll(/\/\*[\s\S]*?\*\//g, (comment) => comment.replaceAll(/[^\n]/g, " "))
    .replaceAll(/^\s*\/\/.*$/gm, "");
  const patterns = [
    /^(?:import|export)\b[^"';]*?\bfrom\s*["']([^"']+)["']/gm,
    /^import\s*["']([^"']+)["']/gm,
    /\bimport\(\s*["']([^"']+)["']\s*\)/g,
  ];
  return patterns
    .flatMap((pattern) => [...code.matchAll(pattern)])
    .map((match) => ({ target: match[1] ?? "", line: code.slice(0, match.index).split("\n").length }))
    .sort((a, b) => a.line - b.line);
}

function folderOf(path: string): string {
  return path.split("/")[1] ?? "";
}

function isOneOf(folders: readonly string[], folder: string): boolean {
  return folders.includes(folder);
}

function layerFindings(from: TextFile): readonly Finding[] {
  const folder = folderOf(from.path);
  const allowed = MAY_IMPORT[folder];
  if (allowed === undefined) return [{ path: from.path, what: `folder src/${folder} is not in the table of layers` }];
  return importsOf(from.text).flatMap(({ target, line }) => {
    if (!target.startsWith(".")) return [];
    const path = posix.join(posix.dirname(from.path), target);
    // package.json holds the version; everything else that src needs is in src.
    if (path === "package.json") return [];
    if (!path.startsWith("src/")) return [{ path: from.path, line, what: `imports ${path}, which is not in src` }];
    const to = folderOf(path);
    if (to === folder || isOneOf(allowed, to)) return [];
    return [{ path: from.path, line, what: `src/${folder} may not import src/${to}` }];
  });
}

function outsideFindings(from: TextFile): readonly Finding[] {
  const folder = folderOf(from.path);
  return importsOf(from.text).flatMap(({ target, line }) => {
    if (target.startsWith(".")) return [];
    if (target.startsWith("node:")) {
      if (!isOneOf(DECISIONS, folder)) return [];
      return [{ path: from.path, line, what: `a decision imports ${target}` }];
    }
    const name = target.startsWith("@") ? target.split("/").slice(0, 2).join("/") : (target.split("/")[0] ?? "");
    if (isOneOf(PACKAGE_USERS[name] ?? [], folder)) return [];
    return [{ path: from.path, line, what: `src/${folder} may not use the package ${name}` }];
  });
}

/** The one door is src/system/commands.ts. These start programs in a way that the door does not have, and say why. */
export const STARTS_PROGRAMS_ITSELF: Readonly<Record<string, string>> = {};

function processFindings(from: TextFile): readonly Finding[] {
  if (from.path.startsWith("src/system/") || from.path in STARTS_PROGRAMS_ITSELF) return [];
  return importsOf(from.text)
    .filter(({ target }) => target.endsWith("child_process"))
    .map(({ line }) => ({ path: from.path, line, what: "starts programs past the one door" }));
}

export const LAYER_RULES: readonly Rule[] = [
  {
    name: "imports follow the layers",
    instead: "move the code to the layer that may, or hand it in as an argument (see docs/architecture.md)",
    find: (files) => files.filter(({ path }) => isSource(path)).flatMap(layerFindings),
    wrong: [
      [file("src/base/a.ts", 'import { x } from "../model/spec.ts";')],
      [file("src/model/a.ts", 'import type { Commands } from "../system/commands.ts";')],
      [file("src/plan/a.ts", 'import { x } from "../failover/b.ts";')],
      [file("src/nfs/a.ts", 'import {\n  x,\n  y,\n} from "../plan/b.ts";')],
      [file("src/system/a.ts", 'const x = await import("../agent/b.ts");')],
      [file("src/drill/a.ts", 'export { x } from "../lab/b.ts";')],
      [file("src/agent/a.ts", 'import "../cli/main.ts";')],
      [file("src/wire/a.ts", 'import { x } from "../nfs/b.ts";')],
      [file("src/wire/a.ts", 'import { x } from "../plan/b.ts";')],
      [file("src/agent/a.ts", 'import { x } from "../../scripts/b.ts";')],
      [file("src/stuff/a.ts", "")],
    ],
    right: [
      [
        file(
          "src/cli/a.ts",
          'import { x } from "../lab/b.ts";\nimport p from "../../package.json" with { type: "json" };',
        ),
      ],
      [file("src/agent/a.ts", 'import { x } from "../failover/b.ts";\nimport { y } from "./c.ts";')],
      [file("src/plan/a.ts", '/* import { x } from "../agent/b.ts"; */\n// import { y } from "../cli/c.ts";')],
      [file("src/plan/a.test.ts", 'import { matchesGolden } from "../../tests/golden.ts";')],
    ],
  },
  {
    name: "decisions see no Node, and each package stays with its users",
    instead: "hand the value in as an argument, or enter the package and its folder into PACKAGE_USERS",
    find: (files) => files.filter(({ path }) => isSource(path)).flatMap(outsideFindings),
    wrong: [
      [file("src/failover/a.ts", 'import { readFileSync } from "node:fs";')],
      [file("src/lab/a.ts", 'import { Command } from "commander";')],
      [file("src/agent/a.ts", 'import lodash from "lodash";')],
      [file("src/agent/a.ts", 'import { x } from "@scope/name/part";')],
    ],
    right: [
      [file("src/model/a.ts", 'import { z } from "zod";')],
      [file("src/system/a.ts", 'import { readFileSync } from "node:fs";')],
    ],
  },
  {
    name: "programs are started through one door",
    instead: "use Commands of src/system/commands.ts: no shell, absolute path, empty environment, a bound",
    find: (files) => files.filter(({ path }) => isSource(path)).flatMap(processFindings),
    wrong: [
      [file("src/nfs/a.ts", 'import { execFile } from "node:child_process";')],
      [file("src/agent/a.ts", 'import { spawn } from "child_process";')],
    ],
    right: [[file("src/system/commands.ts", 'import { spawn } from "node:child_process";')]],
  },
];
