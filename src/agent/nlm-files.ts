/**
 * Kernel 6.1 keeps files open that v3 clients had locked, after its server has stopped, as long as another lockd user
 * runs on the node (nlm_shutdown_hosts_net, fs/lockd/host.c; docs/kernel-nfs.md, section 6, trap 1): the volume stays
 * busy. Writing its path to `unlock_filesystem` frees them. Newer kernels free them by themselves, and some of those
 * crash on that write when the server has stopped (nfsd4_revoke_states, fs/nfsd/nfs4state.c), so it is asked of the
 * kernel itself, by its symbols, which of the two it is.
 */
import { readFile } from "node:fs/promises";
import type { VolumeSpec } from "../model/spec.ts";
import type { HolderClient } from "./holder-client.ts";
import { linkIsUp, nfsdThreads } from "./inside.ts";
import { volumePath } from "./places.ts";

/** Frees the files where that is needed and safe; resolves with what was done, for the timeline. */
export async function freeLockedFiles(
  insidePid: number,
  holder: HolderClient,
  volume: VolumeSpec,
  boundMs: number,
): Promise<string | undefined> {
  // While clients could reach the server their locks would be given to others.
  if ((await nfsdThreads(insidePid)) > 0 || (await linkIsUp(insidePid))) return undefined;
  if (!needsUnlock(await readFile("/proc/kallsyms", "utf8"))) return undefined;
  await holder.run([["write_file", "/proc/fs/nfsd/unlock_filesystem", volumePath(volume)]], boundMs);
  return "files that lockd had kept open were freed";
}

/** `kallsyms`: one line per symbol, "ADDRESS TYPE NAME [MODULE]". */
export function needsUnlock(kallsyms: string): boolean {
  const has = (name: string): boolean => new RegExp(` ${name}(?:\\t|$)`, "m").test(kallsyms);
  return has("nlmsvc_unlock_all_by_sb") && !has("nfsd4_revoke_states");
}
