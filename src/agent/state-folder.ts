/**
 * A fileserver's state on its first volume, reached through /proc/PID/root: statd's lists, nfsdcld's database, and what
 * a release leaves for the next takeover. Every file is written whole: to a temporary name, fsynced, renamed.
 */
import { chmod, chown, copyFile, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { Fault, messageOf } from "../base/fault.ts";
import { known, unknown, type Observed } from "../base/observed.ts";
import type { Handover } from "../failover/grace.ts";
import type { Connection } from "../linux/proc-net-tcp.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { exists, readOptional } from "./inside.ts";
import { insidePath, statePath } from "./places.ts";

export interface StateFolder {
  readonly fileserver: FileserverSpec;
  /** As the agent reaches it. */
  readonly path: string;
}

export function stateFolder(pid: number, fileserver: FileserverSpec): StateFolder {
  return { fileserver, path: insidePath(pid, statePath(fileserver)) };
}

/** Inside the fileserver, where statd and sm-notify are told to look (-P). */
export function nsmPath(fileserver: FileserverSpec): string {
  return `${statePath(fileserver)}/nsm`;
}

export function nfsdcldPath(fileserver: FileserverSpec): string {
  return `${statePath(fileserver)}/nfsdcld`;
}

/**
 * Makes the folder complete, proves that it can be written, and retires statd's list: what was monitored is to be
 * notified, before new clients can be added to it.
 */
export async function prepareStateFolder(folder: StateFolder, node: string, nowMs: number): Promise<void> {
  try {
    const statd = await statdOwner();
    await mkdir(folder.path, { recursive: true });
    // statd runs as its own user and must be able to pass through; nothing in it can be listed by others.
    await chmod(folder.path, 0o711);
    for (const name of ["nfsdcld"]) await mkdir(`${folder.path}/${name}`, { recursive: true, mode: 0o700 });
    for (const name of ["nsm", "nsm/sm", "nsm/sm.bak"]) {
      await mkdir(`${folder.path}/${name}`, { recursive: true, mode: 0o700 });
      await chown(`${folder.path}/${name}`, statd.uid, statd.gid);
    }
    await writeWhole(`${folder.path}/served-by.json`, JSON.stringify({ node, sinceMs: nowMs }));
    await retireList(`${folder.path}/nsm/sm.hold`, `${folder.path}/nsm/sm.bak`, "copy");
    await retireList(`${folder.path}/nsm/sm`, `${folder.path}/nsm/sm.bak`, "move");
    await rm(`${folder.path}/nsm/sm.hold`, { recursive: true, force: true });
  } catch (error) {
    throw stateFault(folder, error);
  }
}

/** Copies statd's list aside: a stop can empty it (docs/kernel-nfs.md, section 6, trap 2). */
export async function holdList(folder: StateFolder): Promise<number> {
  const from = `${folder.path}/nsm/sm`;
  if (!(await exists(from))) return 0;
  const hold = `${folder.path}/nsm/sm.hold`;
  await mkdir(hold, { recursive: true, mode: 0o700 });
  const names = await readdir(from);
  for (const name of names) await copyOwned(`${from}/${name}`, `${hold}/${name}`);
  await syncFolder(hold);
  return names.length;
}

async function retireList(from: string, to: string, how: "copy" | "move"): Promise<void> {
  if (!(await exists(from))) return;
  for (const name of await readdir(from)) {
    if (how === "move") await rename(`${from}/${name}`, `${to}/${name}`);
    else await copyOwned(`${from}/${name}`, `${to}/${name}`);
  }
}

async function copyOwned(from: string, to: string): Promise<void> {
  await copyFile(from, to);
  const { uid, gid, mode } = await stat(from);
  await chown(to, uid, gid);
  await chmod(to, mode & 0o777);
  await syncFolder(to);
}

/** Clients that statd monitored and that are still to be notified. */
export async function monitoredClients(folder: StateFolder): Promise<Observed<number>> {
  try {
    return known((await readdir(`${folder.path}/nsm/sm.bak`)).length);
  } catch (error) {
    return unknown(messageOf(error));
  }
}

export interface ServiceRecord {
  readonly connections: readonly Connection[];
}

const CONNECTIONS = "connections.json";
const HANDOVER = "handover.json";

export async function writeConnections(folder: StateFolder, connections: readonly Connection[]): Promise<void> {
  await writeWhole(`${folder.path}/${CONNECTIONS}`, JSON.stringify({ connections } satisfies ServiceRecord));
}

/** Connections that were open when the record was last written; none where there is no record. */
export async function readConnections(folder: StateFolder): Promise<readonly Connection[]> {
  const text = await readOptional(`${folder.path}/${CONNECTIONS}`);
  return text === undefined ? [] : (JSON.parse(text) as ServiceRecord).connections;
}

export async function writeHandover(folder: StateFolder, handover: Handover): Promise<void> {
  await writeWhole(`${folder.path}/${HANDOVER}`, JSON.stringify(handover));
}

export async function readHandover(folder: StateFolder): Promise<Observed<Handover | undefined>> {
  try {
    const text = await readOptional(`${folder.path}/${HANDOVER}`);
    return known(text === undefined ? undefined : (JSON.parse(text) as Handover));
  } catch (error) {
    return unknown(messageOf(error));
  }
}

/** Once the address is open the record is history: after a crash it must not be believed. */
export async function forgetHandover(folder: StateFolder): Promise<void> {
  await rm(`${folder.path}/${HANDOVER}`, { force: true });
  await syncFolder(folder.path);
}

async function writeWhole(path: string, text: string): Promise<void> {
  const temporary = `${path}.new`;
  const file = await open(temporary, "w", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

/** fsync of a file or folder that is only read. */
async function syncFolder(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Debian's statd runs as user statd, and its folders belong to it (nfs-common's postinst). */
async function statdOwner(): Promise<{ uid: number; gid: number }> {
  const line = (await readOptional("/etc/passwd"))?.split("\n").find((entry) => entry.startsWith("statd:"));
  const [, , uid, gid] = line?.split(":") ?? [];
  if (uid === undefined || gid === undefined) {
    throw new Fault({
      code: "statd-user-missing",
      what: "this node has no user statd",
      remedy: "install the package nfs-common",
    });
  }
  return { uid: Number(uid), gid: Number(gid) };
}

function stateFault(folder: StateFolder, error: unknown): Fault {
  const code = (error as NodeJS.ErrnoException).code;
  const full = code === "ENOSPC" || code === "EDQUOT";
  return new Fault({
    code: full ? "state-folder-full" : "state-folder-unwritable",
    what: `the state of ${folder.fileserver.name} cannot be written on its first volume`,
    why: "without it the locks and clients of this fileserver would be lost at the next move",
    remedy: full
      ? "make room on the volume, then try again"
      : "look at the volume's file system (dmesg), then try again",
    cause: error,
  });
}
