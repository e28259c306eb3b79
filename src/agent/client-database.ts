/**
 * nfsdcld's database of NFSv4 clients, on the fileserver's own volume. nfsdcld makes it, and commits by SQLite's rollback
 * journal: for each client that comes or has reclaimed, a file is made, written, and removed, with a handful of writes
 * that each wait for the disk. The client waits for the answer of its RECLAIM_COMPLETE meanwhile, and everybody who wants
 * to open something new waits for the last of them. With a write-ahead log a commit is one write.
 *
 * The mode is kept in the database itself, so nfsdcld need not know (sqlite.org/wal.html, "Persistence of WAL mode"). It
 * is written here without SQLite, which takes the links in a path apart (unixFullPathname, os_unix.c) and so does not
 * find a file in another mount namespace by /proc/PID/root.
 */
import { open } from "node:fs/promises";
import { exists, isAbsent } from "./inside.ts";

/** sqlite.org/fileformat.html, "The Database Header": the name of the format, and its write and read version. */
const MAGIC = "SQLite format 3\0";
const VERSIONS_OFFSET = 18;
const HEADER_BYTES = VERSIONS_OFFSET + 2;
const WITH_JOURNAL = 1;
const WITH_LOG = 2;

/**
 * Nobody may have it open. False where nothing was changed: there is none yet, it has its log already, it is none, or a
 * journal lies beside it, which belongs to a commit that was interrupted and has to be rolled back by SQLite first.
 */
export async function keepWriteAheadLog(path: string): Promise<boolean> {
  try {
    await using file = await open(path, "r+");
    const { bytesRead, buffer } = await file.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0);
    const versions = [...buffer.subarray(VERSIONS_OFFSET)];
    const known = bytesRead === HEADER_BYTES && buffer.toString("latin1", 0, MAGIC.length) === MAGIC;
    if (!known || versions.some((version) => version !== WITH_JOURNAL) || (await exists(`${path}-journal`)))
      return false;
    await file.write(Buffer.of(WITH_LOG, WITH_LOG), 0, 2, VERSIONS_OFFSET);
    await file.datasync();
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}
