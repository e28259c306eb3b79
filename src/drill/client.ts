/** What a drill does on client machines before and after the probes: mounts, and looking at the kernel's log. */
import { Fault } from "../base/fault.ts";
import { mountOptions, type Family, type Protocol } from "./names.ts";
import type { ExecOptions, Machines } from "./ports.ts";

export interface MountSettings {
  readonly client: string;
  /** Name or address of the fileserver, as the client is to know it. */
  readonly host: string;
  readonly exportPath: string;
  readonly protocol: Protocol;
  readonly family: Family;
  /** Folder on the client; made when missing. */
  readonly directory: string;
}

/** mount.nfs(8) retries for two minutes by itself; starting rpc.statd for v3 takes seconds under emulation. */
const MOUNT_TIMEOUT_MS = 150_000;
const UNMOUNT_TIMEOUT_MS = 60_000;
const LOOK_TIMEOUT_MS = 30_000;

export async function run(machines: Machines, machine: string, argv: readonly string[], options: ExecOptions) {
  const result = await machines.exec(machine, argv, options);
  if (result.status === 0) return result.stdout;
  const said = (result.stderr.trim() || result.stdout.trim() || "no output").slice(-2000);
  throw new Fault({
    code: "drill-command-failed",
    what: `on ${machine}, ${argv.slice(0, 3).join(" ").slice(0, 200)} ended with status ${result.status}: ${said}`,
  });
}

/** Runs a POSIX shell script with arguments $1… on a machine. */
export function runScript(
  machines: Machines,
  machine: string,
  script: string,
  args: readonly string[],
  timeoutMs: number,
): Promise<string> {
  return run(machines, machine, ["sh", "-s", "--", ...args], { input: script, timeoutMs });
}

const MOUNT_SCRIPT = `set -eu
mkdir -p "$3"
if mountpoint -q "$3"; then umount "$3"; fi
exec mount -t nfs -o "$2" "$1" "$3"
`;

/** A fresh mount: one that is there already is taken away first, because its caches belong to another drill. */
export async function mountExport(machines: Machines, settings: MountSettings): Promise<void> {
  const source = `${settings.host}:${settings.exportPath}`;
  const options = mountOptions(settings.protocol, settings.family);
  await runScript(machines, settings.client, MOUNT_SCRIPT, [source, options, settings.directory], MOUNT_TIMEOUT_MS);
}

/** Lazily where it is busy: a drill that failed must not leave a client that cannot be used again. */
const UNMOUNT_SCRIPT = `umount "$1" || umount -f -l "$1"
`;

export async function unmountExport(machines: Machines, client: string, directory: string): Promise<void> {
  await runScript(machines, client, UNMOUNT_SCRIPT, [directory], UNMOUNT_TIMEOUT_MS);
}

export function kernelLog(machines: Machines, client: string): Promise<string> {
  return run(machines, client, ["dmesg"], { timeoutMs: LOOK_TIMEOUT_MS });
}
