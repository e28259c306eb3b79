/** Counts the locks that v3 clients hold, without a fork. */
import { readFile } from "node:fs/promises";
import { parseProcLocks } from "../linux/proc-locks.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { mountsInside, readOptional } from "./inside.ts";
import { volumePath } from "./places.ts";

/** Locks on the fileserver's volumes that lockd holds for v3 clients: their owner in /proc/locks is the kernel thread lockd. */
export async function countNlmLocks(fileserver: FileserverSpec, insidePid: number): Promise<number> {
  const mounts = await mountsInside(insidePid);
  const volumes = fileserver.volumes.flatMap((volume) => mounts.filter((mount) => mount.path === volumePath(volume)));
  const locks = parseProcLocks(await readFile("/proc/locks", "utf8")).filter((lock) =>
    volumes.some(({ device }) => device.major === lock.device.major && device.minor === lock.device.minor),
  );
  const owners = await Promise.all(locks.map((lock) => isLockd(lock.pid)));
  return owners.filter(Boolean).length;
}

async function isLockd(pid: number): Promise<boolean> {
  const name = await readOptional(`/proc/${pid}/comm`);
  // An owner that cannot be named may be a client's: counted, so that no grace is cut short by it.
  return name === undefined || name.trim() === "lockd";
}
