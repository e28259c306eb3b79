/**
 * Room kept for the state on its volume. Clients can fill a volume, and it has to move all the same: what a release and
 * a takeover write finds room in the moment when no client can write.
 */
import { stat, statfs, truncate, writeFile } from "node:fs/promises";
import { isAbsent } from "./inside.ts";
import type { StateFolder } from "./state-folder.ts";

const NAME = "spare";
/** nfsdcld's database with its journal, the ledger, and new inodes: some hundred KiB with a thousand clients. */
export const SPARE_BYTES = 2 * 1024 * 1024;

export type FreeBytes = (path: string) => Promise<number>;

const freeBytes: FreeBytes = async (path) => {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
};

/** On a full volume, gives the spare room free. Only while no request of a client is let in: it would be taken at once. */
export async function makeRoom(folder: StateFolder, free: FreeBytes = freeBytes): Promise<void> {
  try {
    if ((await free(folder.path)) >= SPARE_BYTES) return;
    // Not removed: a truncation frees at once, an XFS inode without a name in its own time (xfs_inodegc).
    await truncate(`${folder.path}/${NAME}`, 0);
  } catch (error) {
    // A volume that was never served has neither folder nor spare room.
    if (!isAbsent(error)) throw error;
  }
}

/** Puts the spare room by where there is plenty; costs nothing where it is there already. */
export async function keepSpareRoom(folder: StateFolder, free: FreeBytes = freeBytes): Promise<void> {
  const path = `${folder.path}/${NAME}`;
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size >= SPARE_BYTES || (await free(folder.path)) < 4 * SPARE_BYTES) return;
  await writeFile(path, Buffer.alloc(SPARE_BYTES), { mode: 0o600 });
}
