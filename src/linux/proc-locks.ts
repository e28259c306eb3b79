/** /proc/locks: proc_locks(5). */

export interface FileLock {
  readonly pid: number;
  /** Block device of the file's file system. */
  readonly device: { readonly major: number; readonly minor: number };
  readonly inode: number;
}

/** Granted POSIX locks; waiting ones ("->") and leases are left out. NLM's and NFSv4's are among them, with kernel threads as owners. */
export function parseProcLocks(text: string): readonly FileLock[] {
  return text.split("\n").flatMap((line) => {
    const match = /^\d+: POSIX\s+\S+\s+\S+\s+(-?\d+) ([0-9a-f]+):([0-9a-f]+):(\d+) /.exec(line);
    if (match === null) return [];
    return [
      {
        pid: Number(match[1]),
        device: { major: parseInt(match[2] ?? "", 16), minor: parseInt(match[3] ?? "", 16) },
        inode: Number(match[4]),
      },
    ];
  });
}
