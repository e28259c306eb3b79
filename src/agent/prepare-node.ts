/** What an agent sets on its node as it starts, for all fileservers at once. All of it ends with the boot. */
import { mkdir, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { messageOf } from "../base/fault.ts";
import { lockdGraceS } from "../failover/grace.ts";
import {
  MAPPER_RULES,
  MAPPER_RULES_NAME,
  READ_AHEAD_RULES,
  readAheadOfMountsOnly,
  RULES_FOLDER,
} from "../linux/udev-rules.ts";
import type { Spec } from "../model/spec.ts";
import { runChecked, type Commands } from "../system/commands.ts";
import { readOptional } from "./inside.ts";

export async function prepareNode(commands: Commands, spec: Spec, log: (line: string) => void): Promise<void> {
  await prepareKernel(commands, spec);
  // Without them everything works, only later.
  await writeUdevRules().catch((error: unknown) => log(`udev's rules stay as they are: ${messageOf(error)}`));
}

/** udevd reads them when it sees that the folder has changed; nobody has to tell it (udev(7)). */
async function writeUdevRules(): Promise<void> {
  await mkdir(RULES_FOLDER, { recursive: true });
  await writeFile(`${RULES_FOLDER}/${MAPPER_RULES_NAME}`, MAPPER_RULES);
  const readAhead = readAheadOfMountsOnly((await readOptional(READ_AHEAD_RULES)) ?? "");
  if (readAhead !== undefined) await writeFile(`${RULES_FOLDER}/${basename(READ_AHEAD_RULES)}`, readAhead);
}

/** Loaded before they are needed: the first mount of an XFS would load a megabyte of module while clients wait. */
const MODULES = ["nfsd", "lockd", "macvlan", "ipvlan", "xfs", "ext4", "dm_mod", "sg"];
/**
 * No delegations: they can cost every NFSv4 lock at a takeover. nfsd gives one to the first client that reclaims a file,
 * also where another still has to reclaim its own open of it (nfs4_open_delegation, fs/nfsd/nfs4state.c). The second
 * waits until the first gives the delegation back; the first may not before the grace ends, because for that it has to
 * open without reclaim; and then the second is refused. Seen in the lab on 6.12, with two clients and one file.
 */
const LEASES_ENABLE = "/proc/sys/fs/leases-enable";
const MODPROBE_TIMEOUT_MS = 10_000;

/**
 * Kernel-wide settings of lockd: they cannot be set per fileserver (fs/lockd/svc.c), so the spec's rules make sure
 * that all fileservers agree on the port. lockd's grace is rounded up to a multiple of `nlm_timeout`.
 */
async function prepareKernel(commands: Commands, spec: Spec): Promise<void> {
  await writeFile(LEASES_ENABLE, "0");
  await runChecked(commands, {
    tool: "modprobe",
    args: ["-a", ...MODULES],
    timeoutMs: MODPROBE_TIMEOUT_MS,
  });
  const lockd = spec.fileservers[0]?.nfs.ports.lockd;
  if (lockd === undefined) return;
  for (const [key, value] of [
    ["nlm_tcpport", lockd],
    ["nlm_udpport", lockd],
    ["nlm_timeout", 5],
    ["nlm_grace_period", lockdGraceS(Math.max(...spec.fileservers.map((one) => one.nfs.graceS)))],
  ] as const) {
    await writeFile(`/proc/sys/fs/nfs/${key}`, String(value));
  }
}
