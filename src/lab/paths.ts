/** Where a lab keeps its things. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export interface LabPaths {
  /** Disks, logs, state: kept until `lab down --wipe`. */
  readonly folder: string;
  readonly stateFile: string;
  readonly sshConfig: string;
  readonly spec: string;
  readonly logs: string;
  readonly disks: string;
  /** Memory of stopped machines, by which the next `lab up` goes on. */
  readonly memory: string;
  /** Sockets and process files: a short path, because a unix socket's may have 107 bytes. Gone after `lab down`. */
  readonly sockets: string;
  readonly lock: string;
}

export function labPaths(name: string, home: string = labHome()): LabPaths {
  const folder = join(home, name);
  const hash = createHash("sha256").update(folder).digest("hex").slice(0, 10);
  return {
    folder,
    stateFile: join(folder, "lab.json"),
    sshConfig: join(folder, "ssh_config"),
    spec: join(folder, "holdfast.yaml"),
    logs: join(folder, "logs"),
    disks: join(folder, "disks"),
    memory: join(folder, "memory"),
    sockets: `/tmp/hf-${hash}`,
    lock: join(folder, "lock"),
  };
}

export function labHome(): string {
  const given = process.env["HOLDFAST_LAB_HOME"];
  if (given !== undefined && given !== "") return given;
  return join(sourceRoot() ?? process.cwd(), ".holdfast-lab");
}

export function cacheFolder(): string {
  const given = process.env["XDG_CACHE_HOME"];
  return join(given !== undefined && given.startsWith("/") ? given : join(homedir(), ".cache"), "holdfast");
}

/** The repository's root when this runs from source; undefined inside a bundle. */
export function sourceRoot(): string | undefined {
  const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
  return existsSync(join(root, "src/cli/program.ts")) ? root : undefined;
}

/** How the lab's switch is started, but for its last argument: from source without all the rest of Holdfast. */
export function switchCommand(): readonly [string, ...string[]] {
  const root = sourceRoot();
  if (root !== undefined) return [process.execPath, "--no-warnings", join(root, "src/lab/switch/program.ts")];
  const program = process.argv[1];
  // A single executable has its own path as argv[1], or none.
  const self = program === undefined || program === process.execPath ? [] : ["--no-warnings", program];
  return [process.execPath, ...self, "lab", "switch"];
}
