/**
 * nfsdcld's database of NFSv4 clients, on the fileserver's own volume. nfsdcld makes it, and commits by SQLite's rollback
 * journal: for each client that comes or has reclaimed, a file is made, written, and removed, with a handful of writes
 * that each wait for the disk. The client waits for the answer of its RECLAIM_COMPLETE meanwhile, and everybody who wants
 * to open something new waits for the last of them. With a write-ahead log a commit is one write.
 *
 * The mode is kept in the database itself, so nfsdcld need not know (sqlite.org/wal.html, "Persistence of WAL mode").
 */
import { open } from "node:fs/promises";
import { isAbsent } from "./inside.ts";

/** sqlite.org/fileformat.html, "The Database Header": read and write version of the file format. */
const VERSIONS = { offset: 18, bytes: 2 } as const;
const WITH_LOG = 2;

/** Nobody may have it open. False where there is none yet, or it has its log already. */
export async function keepWriteAheadLog(path: string): Promise<boolean> {
  const versions = await readVersions(path);
  if (versions === undefined || versions.every((version) => version === WITH_LOG)) return false;
  // Only here: it is a megabyte of library, and needed once in the life of a volume.
  const { DatabaseSync } = await import("node:sqlite");
  const database = new DatabaseSync(path);
  try {
    database.exec("PRAGMA journal_mode = WAL");
  } finally {
    database.close();
  }
  return true;
}

/** Undefined where there is no database, or only the beginning of one. */
async function readVersions(path: string): Promise<readonly number[] | undefined> {
  try {
    await using file = await open(path);
    const { bytesRead, buffer } = await file.read(Buffer.alloc(VERSIONS.bytes), 0, VERSIONS.bytes, VERSIONS.offset);
    return bytesRead < VERSIONS.bytes ? undefined : [...buffer];
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}
