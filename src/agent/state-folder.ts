/**
 * A fileserver's state on its first volume, reached through /proc/PID/root: statd's lists, nfsdcld's database, and
 * (in ledger-file.ts) the ledger. Every file is written whole, to a temporary name and renamed; what a release
 * writes is made durable by the unmount that follows, at no cost of its own.
 */
import { chmod, chown, mkdir, readdir, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { Fault } from "../base/fault.ts";
import type { MonitoredClient } from "../failover/ledger.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { monitorFile } from "../nfs/monitor-record.ts";
import { isAbsent, readOptional } from "./inside.ts";
import { insidePath, statePath } from "./places.ts";
import { keepSpareRoom, makeRoom } from "./spare-room.ts";

export interface StateFolder {
  readonly fileserver: FileserverSpec;
  /** As the agent reaches it. */
  readonly path: string;
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export function stateFolder(pid: number, fileserver: FileserverSpec): StateFolder {
  return { fileserver, path: insidePath(pid, statePath(fileserver)) };
}

/**
 * Inside the fileserver, where statd is told to look (-P). The folder above is a link: statd runs before
 * the volume is there, over an empty list; it opens its files by name each time (nsm_make_pathname, nfs-utils
 * support/nsm/file.c), so that turning the link gives it the volume's.
 */
export const NSM_PATH = "/run/holdfast/state/nsm";
/**
 * Where sm-notify is told to look: a folder of its own. It begins by retiring whatever it finds in `sm`
 * (nsm_retire_monitored_hosts, support/nsm/file.c), and a client that asked for a lock between the opening and that
 * moment would be notified, struck off, and never be entered again: lockd has it monitored once and asks no second time.
 * The next move would lose its locks silently (seen in the lab).
 */
export const NOTIFY_PATH = "/run/holdfast/state/notify";
const STATE_LINK = "/run/holdfast/state";
const COLD_STATE = "/run/holdfast/cold";

/** The empty state of a warm standby. */
export async function makeColdState(pid: number): Promise<void> {
  await makeNsmFolders(insidePath(pid, COLD_STATE), await statdOwner());
  await symlink(COLD_STATE, insidePath(pid, STATE_LINK));
}

/** Turns the link to the volume; atomic, as rename(2) is. */
export async function turnToVolume(pid: number, fileserver: FileserverSpec): Promise<void> {
  const link = insidePath(pid, STATE_LINK);
  await rm(`${link}.new`, { force: true });
  await symlink(statePath(fileserver), `${link}.new`);
  await rename(`${link}.new`, link);
}

const NSM_FOLDERS = ["nsm", "nsm/sm", "nsm/sm.bak", "notify", "notify/sm", "notify/sm.bak"] as const;

/** `monitored`: statd's own list. `retired`: whom sm-notify has still to reach. */
export type NsmList = "monitored" | "retired";

export function listPath(folder: StateFolder, list: NsmList): string {
  return `${folder.path}/${list === "monitored" ? "nsm/sm" : "notify/sm.bak"}`;
}

async function makeNsmFolders(parent: string, statd: Owner): Promise<void> {
  for (const name of NSM_FOLDERS) {
    const path = `${parent}/${name}`;
    await mkdir(path, { recursive: true, mode: 0o700 });
    await chown(path, statd.uid, statd.gid);
  }
}

export function nfsdcldPath(fileserver: FileserverSpec): string {
  return `${statePath(fileserver)}/nfsdcld`;
}

/**
 * Makes the folder complete, proves that it can be written, and retires statd's list: what was monitored is to be
 * notified, before new clients can be added to it.
 */
export async function prepareStateFolder(
  folder: StateFolder,
  node: string,
  nowMs: number,
  expected: readonly MonitoredClient[],
  ownerOfLists: () => Promise<Owner> = statdOwner,
): Promise<void> {
  const [nsm, notify] = await Promise.all(
    ["nsm", "notify"].map((name) => readdir(`${folder.path}/${name}`).catch(ignoreAbsent)),
  );
  const complete = nsm?.includes("sm") === true && notify?.includes("sm.bak") === true;
  const statd = complete ? undefined : await ownerOfLists();
  try {
    await makeRoom(folder);
    if (statd !== undefined) {
      await mkdir(folder.path, { recursive: true });
      // statd runs as its own user and must be able to pass through; nothing in it can be listed by others.
      await chmod(folder.path, 0o711);
      await makeNsmFolders(folder.path, statd);
    }
    await Promise.all([
      // Written in place: it is for people, and the proof that the folder can be written.
      writeFile(`${folder.path}/served-by.json`, JSON.stringify({ node, sinceMs: nowMs }), { mode: 0o600 }),
      retireLists(folder, expected),
    ]);
    await keepSpareRoom(folder);
  } catch (error) {
    throw stateFault(folder, error);
  }
}

/** nfsdcld makes its database itself, but not the folder. Resolves with the database's path. */
export async function makeDatabaseFolder(folder: StateFolder): Promise<string> {
  await makeRoom(folder);
  await mkdir(`${folder.path}/nfsdcld`, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw stateFault(folder, error);
  });
  return `${folder.path}/nfsdcld/main.sqlite`;
}

/**
 * @param expected who was in the list when the release wrote the ledger's last entry: a stop can empty the list behind
 *   our back (docs/kernel-nfs.md, section 6, trap 2), and nobody would be notified.
 */
async function retireLists(folder: StateFolder, expected: readonly MonitoredClient[]): Promise<void> {
  const [from, to] = [listPath(folder, "monitored"), listPath(folder, "retired")];
  for (const name of await readdir(from)) await rename(`${from}/${name}`, `${to}/${name}`);
  await retire(folder, expected);
}

/** Whoever stands there already stays as he is. */
export async function retire(folder: StateFolder, clients: readonly MonitoredClient[]): Promise<void> {
  const to = listPath(folder, "retired");
  const retired = await readdir(to);
  for (const client of clients.filter(({ name }) => !retired.includes(name))) {
    await writeFile(`${to}/${client.name}`, monitorFile(client, folder.fileserver.hostname), { mode: 0o600 });
    const { uid, gid } = await stat(to);
    await chown(`${to}/${client.name}`, uid, gid);
  }
}

function ignoreAbsent(error: unknown): readonly string[] {
  if (isAbsent(error)) return [];
  throw error;
}

/** Drops the retired list: nobody in it holds a lock any more. */
export async function forgetRetired(folder: StateFolder): Promise<void> {
  await unretire(folder, await readdir(listPath(folder, "retired")));
}

/** These are not to be notified. */
export async function unretire(folder: StateFolder, names: readonly string[]): Promise<void> {
  for (const name of names) await rm(`${listPath(folder, "retired")}/${name}`, { force: true });
}

/** Debian's statd runs as user statd, and its folders belong to it (nfs-common's postinst). */
async function statdOwner(): Promise<Owner> {
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
