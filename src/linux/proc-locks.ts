/** /proc/locks: proc_locks(5); lock_get_status, fs/locks.c. */

export interface FileLock {
  readonly pid: number;
  readonly kind: "READ" | "WRITE";
  /** Block device of the file's file system. */
  readonly device: { readonly major: number; readonly minor: number };
  readonly inode: number;
  /** First byte, in decimal digits: offsets have 63 bits, more than a number holds exactly. */
  readonly start: string;
  /** Last byte, in decimal digits, or "EOF": to the end of the file, wherever that will be. */
  readonly end: string;
}

/** Granted POSIX locks; waiting ones ("->") and leases are left out. NLM's and NFSv4's are among them, with kernel threads as owners. */
export function parseProcLocks(text: string): readonly FileLock[] {
  return text.split("\n").flatMap((line) => {
    const match = /^\d+: POSIX\s+\S+\s+(READ|WRITE)\s+(-?\d+) ([0-9a-f]+):([0-9a-f]+):(\d+) (\d+) (\d+|EOF)\s*$/.exec(
      line,
    );
    if (match === null) return [];
    const [, kind, pid, major = "", minor = "", inode, start = "", end = ""] = match;
    return [
      {
        pid: Number(pid),
        kind: kind === "READ" ? "READ" : "WRITE",
        device: { major: parseInt(major, 16), minor: parseInt(minor, 16) },
        inode: Number(inode),
        start,
        end,
      },
    ];
  });
}

/**
 * "device:inode:start:end", the device as "major-minor". Two holders of a read lock on one range have the same key:
 * whoever counts must count keys as often as they come. Devices of a volume differ from node to node; inodes do not.
 */
export function lockKey(lock: Pick<FileLock, "device" | "inode" | "start" | "end">): string {
  return `${lock.device.major}-${lock.device.minor}:${lock.inode}:${lock.start}:${lock.end}`;
}
