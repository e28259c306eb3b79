/** Starting, finding, stopping and putting to sleep the lab's machines. What runs is seen in /proc, never remembered. */
import { existsSync } from "node:fs";
import { mkdir, rename, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "../base/fault.ts";
import { waitFor, type Clock } from "../system/clock.ts";
import { runChecked, type Commands } from "../system/commands.ts";
import { listProcesses, isRunning, signalProcess, startDaemon, type RunningProcess } from "../system/processes.ts";
import { toolPath } from "../system/tools.ts";
import type { Image } from "./image.ts";
import type { LabPaths } from "./paths.ts";
import { LUN_SIZE_BYTES, type MachinePlan } from "./plan.ts";
import { guestName, lunDisk, qemuArguments, qmpSocket, systemDisk, type MachineLaunch } from "./qemu.ts";
import { connectQmp, withQmp, type Qmp } from "./qmp.ts";
import { quoteForShell } from "./ssh.ts";

const QMP_TIMEOUT_MS = 20_000;
const END_TIMEOUT_MS = 10_000;
/** 900 MiB of memory, written and read by a slow disk. */
const MEMORY_TIMEOUT_MS = 120_000;
const POLL_MS = 100;

export interface LabProcesses {
  /** QEMU by machine name. */
  readonly machines: ReadonlyMap<string, RunningProcess>;
  readonly switches: readonly RunningProcess[];
  /** OpenSSH's shared connections. */
  readonly connections: readonly RunningProcess[];
}

export function switchConfigFile(paths: Pick<LabPaths, "sockets">): string {
  return join(paths.sockets, "switch.json");
}

export async function findLabProcesses(paths: Pick<LabPaths, "sockets">): Promise<LabProcesses> {
  const machines = new Map<string, RunningProcess>();
  const switches: RunningProcess[] = [];
  const connections: RunningProcess[] = [];
  const guestPrefix = `guest=${guestName(paths, "")}`;
  for (const process of await listProcesses()) {
    const [program, first, second] = process.argv;
    if (program?.endsWith("qemu-system-x86_64") === true && first === "-name" && second?.startsWith(guestPrefix)) {
      machines.set(second.slice(guestPrefix.length), process);
    } else if (process.argv.at(-1) === switchConfigFile(paths)) switches.push(process);
    else if (program?.startsWith(`ssh: ${paths.sockets}/`) === true) connections.push(process);
  }
  return { machines, switches, connections };
}

/** Makes the disks that are not there yet. A LUN is sparse and never made anew by itself. */
export async function ensureDisks(
  commands: Commands,
  paths: LabPaths,
  machines: readonly MachinePlan[],
  image: Image,
): Promise<void> {
  await mkdir(paths.disks, { recursive: true });
  for (const machine of machines) {
    const disk = systemDisk(paths, machine.name);
    if (!existsSync(disk)) {
      await runChecked(commands, {
        tool: "qemu-img",
        args: ["create", "-q", "-f", "qcow2", "-b", image.disk, "-F", "qcow2", `${disk}.new`],
        timeoutMs: 30_000,
      });
      await rename(`${disk}.new`, disk);
    }
    for (const lun of machine.luns) {
      const path = lunDisk(paths, lun);
      if (existsSync(path)) continue;
      await writeFile(`${path}.new`, "");
      await truncate(`${path}.new`, LUN_SIZE_BYTES);
      await rename(`${path}.new`, path);
    }
  }
}

export async function startMachine(launch: MachineLaunch): Promise<void> {
  const { machine, paths } = launch;
  await rm(qmpSocket(paths, machine.name), { force: true });
  await startDaemon({
    program: toolPath("qemu-system-x86_64"),
    args: qemuArguments(launch),
    logFile: qemuLog(paths, machine.name),
  });
}

export function qemuLog(paths: Pick<LabPaths, "logs">, machine: string): string {
  return join(paths.logs, `${machine}.qemu`);
}

/** QEMU makes its socket a moment after it was started; when it ends instead, its log says why. */
export async function connectMachine(clock: Clock, paths: LabPaths, machine: string): Promise<Qmp> {
  const path = qmpSocket(paths, machine);
  const bound = { what: `QEMU of ${machine}`, timeoutMs: QMP_TIMEOUT_MS, intervalMs: POLL_MS };
  const ready = await waitFor(clock, bound, async () => {
    if (existsSync(path)) return "socket";
    return (await findLabProcesses(paths)).machines.has(machine) ? undefined : "ended";
  });
  if (ready === "socket") return connectQmp(path, QMP_TIMEOUT_MS);
  throw new Fault({
    code: "lab-machine-not-started",
    what: `QEMU of ${machine} ${ready === "ended" ? "ended at once" : "did not open its control socket"}`,
    remedy: `read ${qemuLog(paths, machine)}`,
  });
}

/** Ends a machine as a power cut does, and waits until its process is gone. */
export async function killProcess(clock: Clock, target: RunningProcess): Promise<void> {
  await signalProcess(target, "SIGKILL");
  const bound = { what: "the end of a process", timeoutMs: END_TIMEOUT_MS, intervalMs: 20 };
  const gone = await waitFor(clock, bound, async () => ((await isRunning(target)) ? undefined : true));
  if (gone === true) return;
  throw new Fault({ code: "lab-process-stuck", what: `process ${target.pid} did not end after SIGKILL` });
}

export function memoryFile(paths: Pick<LabPaths, "memory">, machine: string): string {
  return join(paths.memory, `${machine}.memory`);
}

/** Writes a stopped machine's memory and devices to a file; the machine stays stopped and may only be ended then. */
export async function saveMemory(clock: Clock, paths: LabPaths, machine: string): Promise<void> {
  const file = memoryFile(paths, machine);
  await mkdir(paths.memory, { recursive: true });
  await withQmp(qmpSocket(paths, machine), async (qmp) => {
    await qmp.execute("migrate-set-parameters", { "max-bandwidth": 8 * 1024 ** 3, "downtime-limit": 60_000 });
    await qmp.execute("migrate", { uri: `exec:cat > ${quoteForShell(`${file}.new`)}` });
    await migrationEnd(clock, qmp, machine);
  });
  await rename(`${file}.new`, file);
}

/** Reads the memory into a machine started with `resume`; it stays stopped until `cont`. The file is removed: disks change from here. */
export async function loadMemory(clock: Clock, paths: LabPaths, machine: string): Promise<void> {
  const qmp = await connectMachine(clock, paths, machine);
  const file = memoryFile(paths, machine);
  try {
    await qmp.execute("migrate-incoming", { uri: `exec:cat ${quoteForShell(file)}` });
    await migrationEnd(clock, qmp, machine);
  } finally {
    qmp.close();
    await rm(file, { force: true });
  }
}

async function migrationEnd(clock: Clock, qmp: Qmp, machine: string): Promise<void> {
  const bound = { what: `memory of ${machine}`, timeoutMs: MEMORY_TIMEOUT_MS, intervalMs: POLL_MS };
  const status = await waitFor(clock, bound, async () => {
    const info = (await qmp.execute("query-migrate")) as { readonly status?: string };
    return info.status === "completed" || info.status === "failed" ? info.status : undefined;
  });
  if (status === "completed") return;
  throw new Fault({
    code: "lab-memory-failed",
    what: `the memory of ${machine} could not be saved or loaded (${status ?? "not in time"})`,
  });
}

export async function resumeMachine(paths: LabPaths, machine: string): Promise<void> {
  await withQmp(qmpSocket(paths, machine), (qmp) => qmp.execute("cont"));
}

export async function pauseMachine(paths: LabPaths, machine: string): Promise<void> {
  await withQmp(qmpSocket(paths, machine), (qmp) => qmp.execute("stop"));
}

/** QEMU's word for the state: running, paused, inmigrate, shutdown, guest-panicked, … */
export async function machineState(paths: LabPaths, machine: string): Promise<string> {
  const status = (await withQmp(qmpSocket(paths, machine), (qmp) => qmp.execute("query-status"))) as {
    readonly status: string;
  };
  return status.status;
}

/** Bytes that a sparse file really takes; 0 when it is not there. */
export async function bytesOnDisk(path: string): Promise<number> {
  try {
    return (await stat(path)).blocks * 512;
  } catch {
    return 0;
  }
}
