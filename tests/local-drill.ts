/**
 * A drill on one machine without NFS: "clients" and "nodes" are this machine with a few stand-ins on its PATH, a mount is
 * a link to a folder, and each client has a folder of its own in place of its disk. Locks are those of this kernel, so
 * that they are real between the programs of two clients, though not between two mounts of one.
 */
import { spawn } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { World } from "../src/drill/measure.ts";
import type { ExecResult, Machines } from "../src/drill/ports.ts";
import { writeProbeProgram } from "../src/drill/program.ts";
import type { DrillSettings } from "../src/drill/scenario.ts";
import { systemClock } from "../src/system/clock.ts";
import type { Timeline } from "../src/wire/timeline.ts";

/** What a move's timeline says of its silence. */
export const LOCAL_PAUSE_MS = 500;

export interface FakeDrill {
  readonly world: World;
  readonly settings: DrillSettings;
  /** Ends the probe program of a client, as its power's end would. */
  readonly kill: (machine: string) => void;
}

export interface LocalDrill {
  readonly folder: string;
  /** `duringMove` gets the process id of the probe program that was started last. */
  fake(duringMove: (pid: number) => Promise<void>): FakeDrill;
  remove(): void;
}

const STAND_INS: Readonly<Record<string, string>> = {
  mount: 'for last; do :; done; source=$5; rmdir "$last" 2>/dev/null; ln -s "${source#*:}" "$last"',
  umount: 'rm "$1"',
  mountpoint: '[ -L "$2" ]',
  grep: "echo /proc/1/mountinfo",
  nsenter: 'shift 3; exec "$@"',
  dmesg: ":",
  ping: ":",
};

export async function localDrill(): Promise<LocalDrill> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-drill-"));
  mkdirSync(join(folder, "bin"));
  mkdirSync(join(folder, "export"));
  mkdirSync(join(folder, "source/a"), { recursive: true });
  for (let file = 0; file < 30; file += 1) writeFileSync(join(folder, `source/a/file ${file}`), "x".repeat(file * 10));
  for (const [name, script] of Object.entries(STAND_INS)) {
    writeFileSync(join(folder, "bin", name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  await writeProbeProgram(join(folder, "probe.mjs"));
  return {
    folder,
    fake: (duringMove) => fake(folder, duringMove),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function localExec(folder: string, argv: readonly string[], input: string | undefined): Promise<ExecResult> {
  const environment = { PATH: `${join(folder, "bin")}:/usr/sbin:/usr/bin:/sbin:/bin` };
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0] ?? "", argv.slice(1), { env: environment });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (data: Buffer) => (stdout += data.toString()));
    child.stderr.on("data", (data: Buffer) => (stderr += data.toString()));
    child.on("error", reject);
    child.on("close", (status) => resolve({ status: status ?? 255, stdout, stderr }));
    child.stdin.on("error", () => undefined);
    child.stdin.end((input ?? "").replace("find ${4:-/usr /var/lib/dpkg/info}", `find ${join(folder, "source")}`));
  });
}

/** The first client has the paths as they are; those of the second lie beside them. */
function ownPaths(folder: string, machine: string, text: string): string {
  if (machine !== "c2") return text;
  return text.replaceAll(`${folder}/client/`, `${folder}/client-c2/`).replaceAll(`${folder}/mnt/`, `${folder}/mnt-c2/`);
}

function fake(folder: string, duringMove: (pid: number) => Promise<void>): FakeDrill {
  let probePid = 0;
  const pids = new Map<string, number>();
  let node = "n1";
  const machines: Machines = {
    exec: async (machine, argv, { input }) => {
      const own = (text: string): string => ownPaths(folder, machine, text);
      const result = await localExec(folder, argv.map(own), input === undefined ? undefined : own(input));
      if (argv[2]?.includes("setsid") === true) pids.set(machine, (probePid = Number(result.stdout.trim())));
      return result;
    },
    copyTo: async (machine, localPath, remotePath) => {
      const path = ownPaths(folder, machine, remotePath);
      mkdirSync(dirname(path), { recursive: true });
      copyFileSync(localPath, path);
    },
  };
  const move = async (fileserver: string, to: string): Promise<Timeline> => {
    await duringMove(probePid);
    const step = { node: to, outcome: "done" } as const;
    const steps = [
      { ...step, step: "hold-requests", startMs: 0, endMs: 0 },
      { ...step, step: "open-address", startMs: LOCAL_PAUSE_MS - 5, endMs: LOCAL_PAUSE_MS },
    ];
    node = to;
    return { id: "m", kind: "move", fileserver, node: to, startedAtMs: 0, outcome: "done", steps };
  };
  return {
    kill: (machine) => void process.kill(pids.get(machine) ?? 0, "SIGKILL"),
    world: {
      machines,
      mover: { serving: async () => node, move },
      clock: systemClock,
      program: { localPath: join(folder, "probe.mjs"), remoteNode: process.execPath },
      system: "holdfast",
      accelerator: "none",
      progress: () => undefined,
      clientFolder: join(folder, "client"),
      pollIntervalMs: 50,
    },
    settings: {
      fileserver: { name: "home", host: "home", exportPath: join(folder, "export"), devices: [] },
      others: [],
      nodes: ["n1", "n2"],
      client: "c1",
      clients: ["c1", "c2"],
      protocol: "v4.2",
      protocols: ["v4.2"],
      family: 4,
      runs: 1,
      seed: 1,
      treeFiles: 100,
      intervalMs: 10,
      settleMs: 300,
      jitterMs: 50,
      mountRoot: join(folder, "mnt"),
    },
  };
}
