/** `lab down`: nothing of the lab runs afterwards, and no socket is left. Memory and disks stay for the next `lab up`, or go with --wipe. */
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import type { RunningProcess } from "../system/processes.ts";
import { withLabLock } from "./lock.ts";
import {
  findLabProcesses,
  killProcess,
  machineState,
  memoryFile,
  pauseMachine,
  resumeMachine,
  saveMemory,
} from "./machines.ts";
import type { LabPaths } from "./paths.ts";
import { sshExec, sshGreets } from "./ssh.ts";
import { readState, type LabState } from "./state.ts";
import { switchClient } from "./switch/client.ts";
import type { LabWorld } from "./world.ts";

export interface DownChoice {
  /** Forget disks, memory, state: the lab is gone. */
  readonly wipe: boolean;
  /** Keep disks only: the next `lab up` boots. */
  readonly powerOff: boolean;
}

export interface DownReport {
  /** Machines whose memory was kept. */
  readonly asleep: readonly string[];
  /** Machines that were ended. */
  readonly off: readonly string[];
  readonly wiped: boolean;
}

const SYNC_TIMEOUT_MS = 30_000;

export async function labDown(world: LabWorld, paths: LabPaths, choice: DownChoice): Promise<DownReport> {
  return withLabLock(paths, async () => {
    const { machines, switches, connections } = await findLabProcesses(paths);
    const names = [...machines.keys()];
    const state = await readState(paths.stateFile).catch(() => undefined);
    const asleep =
      choice.wipe || choice.powerOff || state === undefined ? [] : await sleepers(world, paths, state, names);
    if (choice.powerOff && state !== undefined) await syncDisks(world, paths, state, names);
    const saved = await putToSleep(world, paths, asleep, connections);
    for (const process of [...machines.values(), ...(await findLabProcesses(paths)).connections]) {
      await killProcess(world.clock, process);
    }
    // A memory older than its disk must never be used.
    const stale = choice.powerOff ? Object.keys(state?.sshPorts ?? {}) : names.filter((name) => !saved.includes(name));
    for (const name of stale) await rm(memoryFile(paths, name), { force: true });
    await endSwitches(world, paths, switches);
    await rm(paths.sockets, { recursive: true, force: true });
    if (choice.wipe) await rm(paths.folder, { recursive: true, force: true });
    return { asleep: saved, off: names.filter((name) => !saved.includes(name)), wiped: choice.wipe };
  });
}

/** Only what runs and answers is worth keeping: a frozen or dead machine would be found frozen or dead by the next `lab up`. */
async function sleepers(
  world: LabWorld,
  paths: LabPaths,
  state: LabState,
  names: readonly string[],
): Promise<readonly string[]> {
  const answers = await Promise.all(
    names.map(async (name) => {
      const port = state.sshPorts[name];
      if (port === undefined) return false;
      const runs = await machineState(paths, name).then(
        (word) => word === "running",
        () => false,
      );
      return runs && (await sshGreets(port));
    }),
  );
  const dead = names.filter((_, index) => answers[index] !== true);
  if (dead.length > 0) world.progress(`${dead.join(", ")}: not answering, so only disks are kept`);
  return names.filter((_, index) => answers[index] === true);
}

/** All are stopped before the first is written: connections between them then go on where they were. */
async function putToSleep(
  world: LabWorld,
  paths: LabPaths,
  names: readonly string[],
  connections: readonly RunningProcess[],
): Promise<readonly string[]> {
  // A shared ssh connection would never hear that its machine went to sleep.
  for (const connection of connections) await killProcess(world.clock, connection);
  try {
    await Promise.all(names.map((name) => pauseMachine(paths, name)));
    await Promise.all(
      names.map(async (name) => {
        world.progress(`${name}: saving its memory`);
        await saveMemory(world.clock, paths, name);
      }),
    );
    return names;
  } catch (error) {
    // Half a lab asleep would wake beside machines that booted: none is kept.
    await Promise.all(names.map((name) => rm(memoryFile(paths, name), { force: true })));
    await Promise.all(names.map((name) => resumeMachine(paths, name).catch(() => undefined)));
    throw error;
  }
}

async function syncDisks(world: LabWorld, paths: LabPaths, state: LabState, names: readonly string[]): Promise<void> {
  await Promise.all(
    names.map(async (name) => {
      const port = state.sshPorts[name];
      if (port === undefined || !(await sshGreets(port))) return;
      // A machine that cannot sync is switched off all the same: that is what was asked for.
      await sshExec(world.commands, paths.sshConfig, name, ["sync"], { timeoutMs: SYNC_TIMEOUT_MS }).catch(
        () => undefined,
      );
    }),
  );
}

async function endSwitches(world: LabWorld, paths: LabPaths, switches: readonly RunningProcess[]): Promise<void> {
  if (existsSync(paths.sockets))
    await switchClient(paths.sockets)
      .shutDown()
      .catch(() => undefined);
  for (const process of switches) await killProcess(world.clock, process);
}
