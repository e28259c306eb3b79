/** One look at a serving fileserver: who is connected, who is known, what is locked. Reads files only, no fork. */
import { open, readdir, readFile, writeFile } from "node:fs/promises";
import type { ClientConnection, MonitoredClient, ServiceSight, V4Client } from "../failover/ledger.ts";
import { parseProcLocks } from "../linux/proc-locks.ts";
import { parseProcNetTcp } from "../linux/proc-net-tcp.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { parseClientInfo, type ClientInfo } from "../nfs/client-info.ts";
import { servedPorts } from "../nfs/configuration.ts";
import { parseMonitorFile } from "../nfs/monitor-record.ts";
import { connectionsOf } from "../nfs/tickle.ts";
import { isAbsent, mountsInside, readOptional } from "./inside.ts";
import { insidePath, volumePath } from "./places.ts";
import { stateFolder, type StateFolder } from "./state-folder.ts";

/** Also says what it could not understand. */
export interface ServiceLook extends ServiceSight {
  readonly problems: readonly string[];
}

export async function lookAtService(fileserver: FileserverSpec, insidePid: number): Promise<ServiceLook> {
  const folder = stateFolder(insidePid, fileserver);
  const v3 = fileserver.protocols.includes("v3");
  const problems: string[] = [];
  const [connections, monitored, unnotified, v4, v3Locks] = await Promise.all([
    servedConnections(fileserver, insidePid),
    v3 ? readList(folder, "sm", problems) : [],
    v3 ? readList(folder, "sm.bak", problems) : [],
    lookAtV4Clients(insidePid, problems),
    v3 ? lookAtV3Locks(fileserver, insidePid) : [],
  ]);
  return { connections, monitored, unnotified, v4Clients: v4.map(({ info }) => v4ClientOf(info)), v3Locks, problems };
}

/** One of statd's lists: `sm` is kept by statd, `sm.bak` holds whom sm-notify has still to reach. */
export async function readList(
  folder: StateFolder,
  list: "sm" | "sm.bak",
  problems: string[],
): Promise<readonly MonitoredClient[]> {
  const path = `${folder.path}/nsm/${list}`;
  const clients: MonitoredClient[] = [];
  for (const name of await readdir(path)) {
    const text = await readOptional(`${path}/${name}`);
    // Notified or unmonitored between the two readings.
    if (text === undefined) continue;
    const records = parseMonitorFile(name, text);
    for (const record of records) if (!record.known) problems.push(`statd's list: ${record.why}`);
    const addresses = records.flatMap((record) => (record.known ? (record.value.address ?? []) : []));
    clients.push({ name, addresses: [...new Set(addresses)] });
  }
  return clients;
}

/** Established connections of clients to nfsd and lockd. */
export async function servedConnections(
  fileserver: FileserverSpec,
  insidePid: number,
): Promise<readonly ClientConnection[]> {
  const texts = await Promise.all(["tcp", "tcp6"].map((name) => readOptional(`/proc/${insidePid}/net/${name}`)));
  return connectionsOf(
    texts.flatMap((text) => parseProcNetTcp(text ?? "")),
    servedPorts(fileserver),
  );
}

export interface V4ClientSeen {
  /** Its folder under /proc/fs/nfsd/clients, as the agent reaches it. */
  readonly folder: string;
  readonly info: ClientInfo;
}

/** What nfsd says of its NFSv4 clients (client_info_show, fs/nfsd/nfs4state.c); those that are only beginning are left out. */
export async function lookAtV4Clients(insidePid: number, problems: string[]): Promise<readonly V4ClientSeen[]> {
  const clients = insidePath(insidePid, "/proc/fs/nfsd/clients");
  const numbers = await readdir(clients).catch(ignoreAbsent);
  const seen = await Promise.all(
    numbers.map(async (number) => {
      const folder = `${clients}/${number}`;
      const text = await readOptional(`${folder}/info`).catch(goneMeanwhile);
      const info = text === undefined ? undefined : parseClientInfo(text);
      if (info !== undefined && !info.known) problems.push(`nfsd's client ${number}: ${info.why}`);
      return info?.known === true ? { folder, info: info.value } : undefined;
    }),
  );
  return seen.filter((one) => one !== undefined).filter(({ info }) => info.status !== "unconfirmed");
}

/** nfsd refuses to show a client that it is just taking away (get_nfsdfs_clp, fs/nfsd/nfs4state.c: ENXIO). */
function goneMeanwhile(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code === "ENXIO") return undefined;
  throw error;
}

/** Whether it has anything that could be reclaimed: an open, a lock, a delegation, a layout. */
export async function hasState(client: V4ClientSeen): Promise<boolean> {
  const file = await open(`${client.folder}/states`, "r");
  try {
    // A client may have tens of thousands: whether there is one is all that is asked.
    const { bytesRead } = await file.read(Buffer.alloc(1), 0, 1, 0);
    return bytesRead > 0;
  } finally {
    await file.close();
  }
}

/** Makes nfsd forget clients that hold nothing, live ones too: there is nothing that they could reclaim. Names them. */
export async function forgetIdleClients(insidePid: number): Promise<readonly string[]> {
  const names: string[] = [];
  for (const client of await lookAtV4Clients(insidePid, [])) {
    if (await hasState(client)) continue;
    await forgetClient(client);
    names.push(client.info.owner);
  }
  return names;
}

/** Also takes its record out of nfsdcld's database (client_ctl_write and expire_client, fs/nfsd/nfs4state.c). */
export async function forgetClient(client: V4ClientSeen): Promise<void> {
  await writeFile(`${client.folder}/ctl`, "expire\n").catch((error: unknown) => {
    // It has ended by itself meanwhile.
    if (!isAbsent(error) && (error as NodeJS.ErrnoException).code !== "ENXIO") throw error;
  });
}

function v4ClientOf(info: ClientInfo): Omit<V4Client, "sinceMs"> {
  return {
    owner: info.owner,
    address: info.address,
    minorVersion: info.minorVersion,
    courtesy: info.status === "courtesy" || info.status === "expirable",
  };
}

/**
 * Keys of the locks that lockd holds for v3 clients on the fileserver's volumes: in /proc/locks their owner is the
 * kernel thread lockd. Two read locks on one range make two keys.
 */
export async function lookAtV3Locks(fileserver: FileserverSpec, insidePid: number): Promise<readonly string[]> {
  const mounts = await mountsInside(insidePid);
  const volumes = new Map(
    fileserver.volumes.flatMap((volume) =>
      mounts
        .filter((mount) => mount.path === volumePath(volume))
        .map(({ device }) => [`${device.major}:${device.minor}`, volume.name] as const),
    ),
  );
  const locks = parseProcLocks(await readFile("/proc/locks", "utf8")).flatMap((lock) => {
    const volume = volumes.get(`${lock.device.major}:${lock.device.minor}`);
    return volume === undefined ? [] : [{ pid: lock.pid, key: `${volume}:${lock.inode}:${lock.start}-${lock.end}` }];
  });
  const owners = new Map<number, boolean>();
  for (const pid of new Set(locks.map((lock) => lock.pid))) owners.set(pid, await isLockd(pid));
  return numbered(locks.filter((lock) => owners.get(lock.pid) === true).map((lock) => lock.key));
}

async function isLockd(pid: number): Promise<boolean> {
  const name = await readOptional(`/proc/${pid}/comm`);
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

function ignoreAbsent(error: unknown): readonly string[] {
  if (isAbsent(error)) return [];
  throw error;
}
