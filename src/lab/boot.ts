/** Machines from no power, or from a kept memory, to ready for their role. */
import { existsSync } from "node:fs";
import { readFile, rm, stat } from "node:fs/promises";
import { Fault, messageOf } from "../base/fault.ts";
import { waitFor } from "../system/clock.ts";
import type { Image } from "./image.ts";
import {
  findLabProcesses,
  killProcess,
  loadMemory,
  machineState,
  memoryFile,
  resumeMachine,
  startMachine,
} from "./machines.ts";
import type { LabPaths } from "./paths.ts";
import { planMachines, type MachinePlan } from "./plan.ts";
import { serialLog, type MachineLaunch } from "./qemu.ts";
import { sshExec, sshGreets } from "./ssh.ts";
import type { LabState } from "./state.ts";
import type { LabWorld } from "./world.ts";

export interface MachineUp {
  readonly name: string;
  readonly how: "already-running" | "booted" | "resumed";
  /** From the start of `lab up` to the first greeting of its ssh, and to its role being ready. */
  readonly sshAfterMs: number;
  readonly readyAfterMs: number;
}

/** For each machine of the lab, since all boot at the same time and emulated ones share a few processors. */
const BOOT_TIMEOUT_PER_MACHINE_MS = 60_000;

function bootTimeoutMs(state: LabState): number {
  return BOOT_TIMEOUT_PER_MACHINE_MS * Math.max(4, Object.keys(state.sshPorts).length);
}

const READY_POLL_MS = 500;
/** Under work a running machine's clock is left alone unless it is further off than this. */
const CLOCK_OFF_S_MAX = 2;
/** The last word of the boot script (recipe-files.ts). */
const READY_LINE = "lab: ready";

export async function startMachines(
  world: LabWorld,
  paths: LabPaths,
  state: LabState,
  image: Image,
  machines: readonly MachinePlan[],
  startedMs: number,
): Promise<readonly MachineUp[]> {
  const launch = (machine: MachinePlan, resume: boolean): MachineLaunch => ({
    machine,
    image,
    paths,
    accelerator: state.accelerator,
    sshPort: portOf(state, machine.name),
    resume,
  });
  const running = await settleRunning(world, paths);
  const resumable = machines.filter(({ name }) => !running.has(name) && existsSync(memoryFile(paths, name)));
  const resumed = await resumeAll(
    world,
    paths,
    resumable.map((machine) => launch(machine, true)),
  );
  return Promise.all(
    machines.map(async (machine): Promise<MachineUp> => {
      const { name } = machine;
      const how = running.has(name) ? "already-running" : resumed.has(name) ? "resumed" : "booted";
      const logBytes = how === "booted" ? await sizeOf(serialLog(paths, name)) : undefined;
      if (how === "booted") {
        world.progress(`${name}: booting`);
        await startMachine(launch(machine, false));
      }
      return waitForMachine(world, paths, state, name, how, logBytes, startedMs);
    }),
  );
}

/**
 * Machines that a killed `lab up` or `lab down` left half way: one that was loading its memory is ended, one that is
 * stopped goes on. A kept memory is worthless, and dangerous to its disk, once its machine runs.
 */
async function settleRunning(world: LabWorld, paths: LabPaths): Promise<ReadonlySet<string>> {
  const running = new Set<string>();
  for (const [name, process] of (await findLabProcesses(paths)).machines) {
    const word = await machineState(paths, name).catch(() => "unknown");
    if (word === "inmigrate" || word === "unknown") {
      await killProcess(world.clock, process);
      continue;
    }
    running.add(name);
    await rm(memoryFile(paths, name), { force: true });
    if (word !== "running") await resumeMachine(paths, name).catch(() => undefined);
  }
  return running;
}

/**
 * All memories are loaded before the first machine runs on: they were stopped together and go on together. If one cannot
 * be loaded (another QEMU, other devices) all boot instead, as after a power cut.
 */
async function resumeAll(
  world: LabWorld,
  paths: LabPaths,
  launches: readonly MachineLaunch[],
): Promise<ReadonlySet<string>> {
  const names = launches.map(({ machine }) => machine.name);
  try {
    await Promise.all(
      launches.map(async (launch) => {
        world.progress(`${launch.machine.name}: loading its memory`);
        await startMachine(launch);
        await loadMemory(world.clock, paths, launch.machine.name);
      }),
    );
    await Promise.all(names.map((name) => resumeMachine(paths, name)));
    return new Set(names);
  } catch (error) {
    world.progress(`memory of the machines is not usable, so they boot: ${messageOf(error)}`);
    const left = (await findLabProcesses(paths)).machines;
    for (const name of names) {
      const process = left.get(name);
      if (process !== undefined) await killProcess(world.clock, process);
      await rm(memoryFile(paths, name), { force: true });
    }
    return new Set();
  }
}

async function waitForMachine(
  world: LabWorld,
  paths: LabPaths,
  state: LabState,
  name: string,
  how: MachineUp["how"],
  logBytes: number | undefined,
  startedMs: number,
): Promise<MachineUp> {
  const since = (): number => Math.round(world.clock.monotonicMs() - startedMs);
  const wait = async (what: string, probe: () => Promise<boolean>): Promise<number> => {
    const bound = { what: `${name}: ${what}`, timeoutMs: bootTimeoutMs(state), intervalMs: READY_POLL_MS };
    const reached = await waitFor(world.clock, bound, async () => {
      if (await probe()) return since();
      if ((await findLabProcesses(paths)).machines.has(name)) return undefined;
      throw machineEnded(paths, name);
    });
    if (reached === undefined) throw notReady(paths, name, what, bound.timeoutMs);
    return reached;
  };
  const sshAfterMs = await wait("ssh", () => sshGreets(portOf(state, name)));
  if (logBytes !== undefined) await wait("ready", () => consoleSays(serialLog(paths, name), logBytes, READY_LINE));
  if (how === "already-running") await waitForRole(world, paths, name, bootTimeoutMs(state));
  await setClock(world, paths, name, how === "already-running" ? CLOCK_OFF_S_MAX : 0);
  const readyAfterMs = since();
  world.progress(`${name}: ${how}, ssh after ${inSeconds(sshAfterMs)}, ready after ${inSeconds(readyAfterMs)}`);
  return { name, how, sshAfterMs, readyAfterMs };
}

/** Gives one machine power, as pressing its button does; with `wait` until its role is ready. */
export async function powerOn(
  world: LabWorld,
  paths: LabPaths,
  state: LabState,
  image: Image,
  name: string,
  wait: boolean,
): Promise<MachineUp | undefined> {
  const startedMs = world.clock.monotonicMs();
  const machine = planMachines(state.shape).find((plan) => plan.name === name);
  if (machine === undefined) throw machineUnknown(state, name);
  const running = (await findLabProcesses(paths)).machines;
  if (running.has(name)) {
    throw new Fault({ kind: "refused", code: "lab-machine-on", what: `${name} is already on` });
  }
  const logBytes = await sizeOf(serialLog(paths, name));
  await rm(memoryFile(paths, name), { force: true });
  await startMachine({
    machine,
    image,
    paths,
    accelerator: state.accelerator,
    sshPort: portOf(state, name),
    resume: false,
  });
  return wait ? waitForMachine(world, paths, state, name, "booted", logBytes, startedMs) : undefined;
}

function inSeconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(1)} s`;
}

export function portOf(state: LabState, machine: string): number {
  const port = state.sshPorts[machine];
  if (port !== undefined) return port;
  throw machineUnknown(state, machine);
}

function machineUnknown(state: LabState, machine: string): Fault {
  return new Fault({
    kind: "invalid",
    code: "lab-machine-unknown",
    what: `this lab has no machine ${machine}`,
    remedy: `its machines are ${Object.keys(state.sshPorts).join(", ")}`,
  });
}

async function sizeOf(path: string): Promise<number> {
  if (!existsSync(path)) return 0;
  return (await stat(path)).size;
}

async function consoleSays(path: string, fromByte: number, line: string): Promise<boolean> {
  if (!existsSync(path)) return false;
  return (await readFile(path)).subarray(fromByte).includes(line);
}

/**
 * A resumed machine has the time at which it was stopped, a booted one that of a clock chip that counts whole seconds.
 * The first call opens the connection that later ones share; the second is then quick enough to carry the time.
 */
async function setClock(world: LabWorld, paths: LabPaths, name: string, offSMax: number): Promise<void> {
  await sshExec(world.commands, paths.sshConfig, name, ["true"]);
  const nowS = (world.clock.wallMs() / 1000).toFixed(3);
  const script = "off=$((${1%.*} - $(date +%s))); [ ${off#-} -lt $2 ] || date -u -s @$1";
  await sshExec(world.commands, paths.sshConfig, name, ["sh", "-c", script, "sh", nowS, `${offSMax}`]);
}

/** A machine that a killed `lab up` left booting. */
async function waitForRole(world: LabWorld, paths: LabPaths, name: string, timeoutMs: number): Promise<void> {
  const script = "until [ -e /run/lab/ready ]; do sleep 0.2; done";
  await sshExec(world.commands, paths.sshConfig, name, ["sh", "-c", script], { timeoutMs });
}

function machineEnded(paths: LabPaths, name: string): Fault {
  return new Fault({
    code: "lab-machine-ended",
    what: `${name} ended while it was waited for`,
    remedy: `read ${serialLog(paths, name)} and the .qemu file beside it`,
  });
}

function notReady(paths: LabPaths, name: string, what: string, timeoutMs: number): Fault {
  return new Fault({
    code: "lab-machine-not-ready",
    what: `${name} did not reach "${what}" within ${inSeconds(timeoutMs)}`,
    remedy: `read ${serialLog(paths, name)}; then lab down and lab up`,
  });
}
