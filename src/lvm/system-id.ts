/** This machine's name for LVM, with which it labels the volume groups that it owns: lvmsystemid(7). */
import { stat } from "node:fs/promises";
import { Fault } from "../base/fault.ts";
import { runChecked, type Commands } from "../system/commands.ts";

const TIMEOUT_MS = 8_000;
/** Where lvmsystemid(7) lets it be set. Where it comes from the host's name or machine ID, it stays until the agent is started anew. */
const CONFIGURATION = ["/etc/lvm/lvm.conf", "/etc/lvm/lvmlocal.conf"];

/**
 * Resolves with the system ID; rejects where there is none. LVM is asked once, and again when its configuration has
 * changed: starting it costs more than all else that is looked up before a move.
 *
 * @param configuration of a test.
 */
export function openSystemId(commands: Commands, configuration = CONFIGURATION): () => Promise<string> {
  let last: { readonly of: string; readonly systemId: string } | undefined;
  return async () => {
    const of = (await Promise.all(configuration.map(versionOf))).join(" ");
    if (last?.of !== of) last = { of, systemId: await readSystemId(commands) };
    return last.systemId;
  };
}

/** Another one whenever the file was written or replaced. */
async function versionOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeNs } = await stat(path, { bigint: true });
    return `${ino}-${size}-${mtimeNs}`;
  } catch {
    // Absent, or not to be read: LVM itself says what that means.
    return "none";
  }
}

/** Rejects where this machine has none: then no group can be owned by it. */
async function readSystemId(commands: Commands): Promise<string> {
  const { stdout } = await runChecked(commands, { tool: "lvm", args: ["systemid"], timeoutMs: TIMEOUT_MS });
  const systemId = /system ID:\s*(\S+)/.exec(stdout)?.[1];
  if (systemId === undefined) {
    throw new Fault({
      code: "system-id-missing",
      what: "LVM on this node has no system ID",
      why: "without it a volume group could be active on two nodes",
      remedy:
        'set global/system_id_source="lvmlocal" in /etc/lvm/lvm.conf and local/system_id in /etc/lvm/lvmlocal.conf',
    });
  }
  return systemId;
}
