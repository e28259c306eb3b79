/** Looking into a fileserver's namespaces without a fork: /proc/PID/root and the scope's cgroup. */
import { access, readdir, readFile, readlink } from "node:fs/promises";
import { parseMountinfo, type Mount } from "../linux/mountinfo.ts";
import { HOLDER_FILES } from "../linux/holder.ts";
import { holderFolder, insidePath, LINK_FOLDER, scopeFolder } from "./places.ts";

export interface ScopeProcess {
  readonly pid: number;
  /** As in /proc/PID/comm: at most 15 characters. */
  readonly name: string;
}

/** Everything that runs in the fileserver's scope; empty where there is no scope. */
export async function scopeProcesses(fileserver: string): Promise<readonly ScopeProcess[]> {
  const text = await readOptional(`${scopeFolder(fileserver)}/cgroup.procs`);
  const pids = (text ?? "")
    .split("\n")
    .filter((line) => line !== "")
    .map(Number);
  const named = await Promise.all(
    pids.map(async (pid) => ({ pid, name: (await readOptional(`/proc/${pid}/comm`))?.trim() })),
  );
  return named.flatMap(({ pid, name }) => (name === undefined ? [] : [{ pid, name }]));
}

/** At once; a process that has ended meanwhile is as good. */
export function endProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** The holder's pid, where it still runs and is in the scope. */
export async function holderPid(fileserver: string, scope: readonly ScopeProcess[]): Promise<number | undefined> {
  const text = await readOptional(`${holderFolder(fileserver)}/${HOLDER_FILES.pid}`);
  const pid = Number(text);
  return text !== undefined && scope.some((process) => process.pid === pid) ? pid : undefined;
}

/** The same where only its number is needed; whoever uses it finds out whether it is still inside. */
export async function livingHolder(fileserver: string): Promise<number | undefined> {
  const pid = Number(await readOptional(`${holderFolder(fileserver)}/${HOLDER_FILES.pid}`));
  return pid > 0 ? pid : undefined;
}

export async function mountsInside(pid: number): Promise<readonly Mount[]> {
  return parseMountinfo(await readFile(`/proc/${pid}/mountinfo`, "utf8"));
}

export async function nfsdThreads(pid: number): Promise<number> {
  const text = await readOptional(insidePath(pid, "/proc/fs/nfsd/threads"));
  // Before the control file system is mounted there is nothing that could have started threads.
  return text === undefined ? 0 : Number(text);
}

/** IFF_UP is bit 0 of the flags (linux/if.h); the sysfs mounted inside shows the fileserver's own links. */
export async function linkIsUp(pid: number): Promise<boolean> {
  const text = await readOptional(insidePath(pid, `${LINK_FOLDER}/flags`));
  return text !== undefined && (parseInt(text, 16) & 1) === 1;
}

/** The group that the fileserver's link is in (ip-link(8)); undefined where there is no link. */
export async function linkGroup(pid: number): Promise<number | undefined> {
  const text = await readOptional(insidePath(pid, `${LINK_FOLDER}/netdev_group`));
  return text === undefined ? undefined : Number(text);
}

/** The kernel's node of a device-mapper device, e.g. /dev/dm-0; undefined where it is not active. */
export async function mapperDevice(name: string): Promise<string | undefined> {
  for (const entry of await readdir("/sys/class/block")) {
    if (entry.startsWith("dm-") && (await readOptional(`/sys/class/block/${entry}/dm/name`))?.trim() === name)
      return `/dev/${entry}`;
  }
  return undefined;
}

/** What a process has open, as the links in /proc/PID/fd name it; empty where the process is gone. */
export async function openFiles(pid: number): Promise<readonly string[]> {
  const folder = `/proc/${pid}/fd`;
  const names = await readdir(folder).catch(() => []);
  return Promise.all(names.map((name) => readlink(`${folder}/${name}`).catch(() => "")));
}

/** The file's text; undefined only where it does not exist (or its process is gone). Everything else is an error. */
export async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

export function isAbsent(error: unknown): boolean {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return code === "ENOENT" || code === "ESRCH" || code === "ENOTDIR" || code === "ENODEV";
}

export async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}
