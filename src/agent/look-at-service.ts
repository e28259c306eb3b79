/**
 * Looks at a serving fileserver again and again: who is connected, who is known, what is locked. No fork, and as little
 * work as a look can be where nothing has changed, because there are some every second for as long as it serves.
 */
import { readdir, readFile } from "node:fs/promises";
import { readdirSync, readFileSync } from "node:fs";
import type { ClientConnection, MonitoredClient, ServiceSight, V4Client } from "../failover/ledger.ts";
import { parseProcLocks } from "../linux/proc-locks.ts";
import { parseProcNetTcp } from "../linux/proc-net-tcp.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { parseClientInfo, type ClientInfo } from "../nfs/client-info.ts";
import { servedPorts } from "../nfs/configuration.ts";
import { parseMonitorFile } from "../nfs/monitor-record.ts";
import { connectionsOf } from "../nfs/tickle.ts";
import { isAbsent, mountsInside } from "./inside.ts";
import { volumePath } from "./places.ts";
import { listPath, stateFolder, type NsmList, type StateFolder } from "./state-folder.ts";
import { v4ClientsFolder } from "./v4-clients.ts";

/** Also says what it could not understand. */
export interface ServiceLook extends ServiceSight {
  readonly problems: readonly string[];
}

export interface ServiceEye {
  look(): Promise<ServiceLook>;
}

/** Whether a v4 client's lease has expired is asked this often; that a client comes or goes is seen by every look. */
const V4_STATUS_EVERY_LOOKS = 12;

/**
 * Files of /proc are read at once, in this thread: the kernel has them in memory, and the detour through libuv's threads
 * costs several times the reading. What lies on the volume is not: a disk may hang, and the agent must not with it.
 */
export async function openServiceEye(fileserver: FileserverSpec, insidePid: number): Promise<ServiceEye> {
  const folder = stateFolder(insidePid, fileserver);
  const v3 = fileserver.protocols.includes("v3");
  const lists = { monitored: openList(folder, "monitored"), retired: openList(folder, "retired") };
  const v4 = openV4Eye(insidePid);
  const locks = openLockEye(await volumesByDevice(fileserver, insidePid));
  return {
    async look() {
      const problems: string[] = [];
      const monitored = v3 ? await lists.monitored(problems) : [];
      const unnotified = v3 ? await lists.retired(problems) : [];
      return {
        connections: servedConnections(fileserver, insidePid),
        monitored,
        unnotified,
        v4Clients: v4(problems),
        v3Locks: v3 ? locks() : [],
        problems,
      };
    },
  };
}

/** Established connections of clients to nfsd and lockd. */
export function servedConnections(fileserver: FileserverSpec, insidePid: number): readonly ClientConnection[] {
  const texts = ["tcp", "tcp6"].map((name) => readNow(`/proc/${insidePid}/net/${name}`) ?? "");
  return connectionsOf(texts.flatMap(parseProcNetTcp), servedPorts(fileserver));
}

export function readList(folder: StateFolder, list: NsmList, problems: string[]): Promise<readonly MonitoredClient[]> {
  return openList(folder, list)(problems);
}

function openList(folder: StateFolder, list: NsmList): (problems: string[]) => Promise<readonly MonitoredClient[]> {
  const path = listPath(folder, list);
  // A client's record never changes: it is written when it is monitored, and removed.
  const known = new Map<string, MonitoredClient>();
  return async (problems) => {
    const names = await readdir(path).catch((error: unknown): readonly string[] => {
      // Made by the first takeover of a release that has it: before, nobody was retired to it.
      if (list === "retired" && isAbsent(error)) return [];
      throw error;
    });
    for (const name of names) {
      if (known.has(name)) continue;
      const client = await readRecord(path, name, problems);
      if (client !== undefined) known.set(name, client);
    }
    for (const name of known.keys()) if (!names.includes(name)) known.delete(name);
    return [...known.values()];
  };
}

/** Undefined where it was notified or unmonitored between two readings. */
async function readRecord(path: string, name: string, problems: string[]): Promise<MonitoredClient | undefined> {
  try {
    const records = parseMonitorFile(name, await readFile(`${path}/${name}`, "utf8"));
    for (const record of records) if (!record.known) problems.push(`statd's list: ${record.why}`);
    const addresses = records.flatMap((record) => (record.known ? (record.value.address ?? []) : []));
    return { name, addresses: [...new Set(addresses)] };
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

function openV4Eye(insidePid: number): (problems: string[]) => ServiceSight["v4Clients"] {
  const folder = v4ClientsFolder(insidePid);
  const known = new Map<string, Omit<V4Client, "sinceMs">>();
  let looks = 0;
  return (problems) => {
    // Whoever is only beginning has no entry yet and is read again by the next look.
    if (looks % V4_STATUS_EVERY_LOOKS === 0) known.clear();
    looks += 1;
    const numbers = listNow(folder);
    for (const number of numbers) {
      if (known.has(number)) continue;
      const text = readNow(`${folder}/${number}/info`);
      const info = text === undefined ? undefined : parseClientInfo(text);
      if (info !== undefined && !info.known) problems.push(`nfsd's client ${number}: ${info.why}`);
      if (info?.known === true && info.value.status !== "unconfirmed") known.set(number, v4ClientOf(info.value));
    }
    for (const number of known.keys()) if (!numbers.includes(number)) known.delete(number);
    return [...known.values()];
  };
}

function v4ClientOf(info: ClientInfo): Omit<V4Client, "sinceMs"> {
  return {
    owner: info.owner,
    address: info.address,
    minorVersion: info.minorVersion,
    courtesy: info.status === "courtesy" || info.status === "expirable",
  };
}

/** Volumes by the device that they are here, "major:minor". */
async function volumesByDevice(fileserver: FileserverSpec, insidePid: number): Promise<ReadonlyMap<string, string>> {
  const mounts = await mountsInside(insidePid);
  return new Map(
    fileserver.volumes.flatMap((volume) =>
      mounts
        .filter((mount) => mount.path === volumePath(volume))
        .map(({ device }) => [`${device.major}:${device.minor}`, volume.name] as const),
    ),
  );
}

/**
 * Keys of the locks that lockd holds for v3 clients on the fileserver's volumes: in /proc/locks their owner is the
 * kernel thread lockd. Two read locks on one range make two keys.
 */
function openLockEye(volumes: ReadonlyMap<string, string>): () => readonly string[] {
  let lastText = "";
  let lastKeys: readonly string[] = [];
  return () => {
    const text = readFileSync("/proc/locks", "utf8");
    if (text === lastText) return lastKeys;
    const locks = parseProcLocks(text).flatMap((lock) => {
      const volume = volumes.get(`${lock.device.major}:${lock.device.minor}`);
      return volume === undefined ? [] : [{ pid: lock.pid, key: `${volume}:${lock.inode}:${lock.start}-${lock.end}` }];
    });
    const owners = new Map([...new Set(locks.map((lock) => lock.pid))].map((pid) => [pid, isLockd(pid)] as const));
    lastKeys = numbered(locks.filter((lock) => owners.get(lock.pid) === true).map((lock) => lock.key));
    lastText = text;
    return lastKeys;
  };
}

function isLockd(pid: number): boolean {
  const name = readNow(`/proc/${pid}/comm`);
  // An owner that cannot be named may be a client's: counted, so that no grace is cut short by it.
  return name === undefined || name.trim() === "lockd";
}

function numbered(keys: readonly string[]): readonly string[] {
  const counts = new Map<string, number>();
  return keys.map((key) => {
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    return count === 1 ? key : `${key}#${count}`;
  });
}

/** Undefined only where the file does not exist, or what it tells of has gone meanwhile (get_nfsdfs_clp: ENXIO). */
function readNow(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

function listNow(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return isAbsent(error) || (error as NodeJS.ErrnoException).code === "ENXIO";
}
