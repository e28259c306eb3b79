/** `lab up`: from whatever is there to machines that answer. Every step looks first, so that a killed run is simply repeated. */
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { Fault } from "../base/fault.ts";
import { waitFor, type Clock } from "../system/clock.ts";
import type { Commands } from "../system/commands.ts";
import { startDaemon } from "../system/processes.ts";
import { installHostPackages } from "./host-packages.ts";
import { ensureImage, imageAt, type Image } from "./image.ts";
import { probeAccelerator } from "./kvm.ts";
import { withLabLock } from "./lock.ts";
import {
  ensureDisks,
  findLabProcesses,
  killProcess,
  loadMemory,
  memoryFile,
  machineState,
  resumeMachine,
  startMachine,
  switchConfigFile,
} from "./machines.ts";
import { nodeBinary, nodeVersion } from "./node-binary.ts";
import { cacheFolder, switchCommand, type LabPaths } from "./paths.ts";
import { NETWORKS, planMachines, type LabShape, type MachinePlan } from "./plan.ts";
import { serialLog, type MachineLaunch } from "./qemu.ts";
import type { Suite } from "./recipe.ts";
import { sshConfigText, sshExec, sshGreets } from "./ssh.ts";
import { readState, writeState, type LabState } from "./state.ts";
import { isSwitchRunning, waitForSwitch } from "./switch/client.ts";
import type { SwitchConfig } from "./switch/config.ts";

/** Undefined: as the lab was made before, or the default. */
export interface UpChoice {
  readonly shape: { readonly [K in keyof LabShape]?: number | undefined };
  readonly suite?: Suite | undefined;
  readonly cluster?: LabState["cluster"] | undefined;
}

export interface LabWorld {
  readonly commands: Commands;
  readonly clock: Clock;
  readonly progress: (line: string) => void;
}

export interface MachineUp {
  readonly name: string;
  readonly how: "already-running" | "booted" | "resumed";
  /** From the start of `lab up` to the first greeting of its ssh, and to its role being ready. */
  readonly sshAfterMs: number;
  readonly readyAfterMs: number;
}

export interface UpReport {
  readonly state: LabState;
  readonly machines: readonly MachineUp[];
}

const DEFAULT_SHAPE: LabShape = { nodes: 2, clients: 1, directors: 0 };
const SWITCH_TIMEOUT_MS = 30_000;
const BOOT_TIMEOUT_MS = 240_000;
const READY_POLL_MS = 500;
/** The last word of the boot script (recipe-files.ts). */
const READY_LINE = "lab: ready";

export async function labUp(world: LabWorld, paths: LabPaths, name: string, choice: UpChoice): Promise<UpReport> {
  await mkdir(paths.folder, { recursive: true });
  return withLabLock(paths, async () => {
    const startedMs = world.clock.monotonicMs();
    await installHostPackages(world.commands, world.progress);
    const { state, image } = await settleState(world, paths, name, choice);
    const machines = planMachines(state.shape);
    await ensureDisks(world.commands, paths, machines, image);
    await mkdir(paths.logs, { recursive: true });
    await mkdir(paths.sockets, { recursive: true, mode: 0o700 });
    await writeFile(paths.sshConfig, sshConfigText(paths, sshTargets(state), image.sshKey), { mode: 0o600 });
    await ensureSwitch(world, paths, machines);
    const reports = await startMachines(world, paths, state, image, machines, startedMs);
    return { state, machines: reports };
  });
}

export function sshTargets(state: LabState): readonly { readonly name: string; readonly port: number }[] {
  return Object.entries(state.sshPorts).map(([name, port]) => ({ name, port }));
}

/** What was chosen before holds, unless it is chosen anew; the image of existing disks holds until they are wiped. */
async function settleState(
  world: LabWorld,
  paths: LabPaths,
  name: string,
  choice: UpChoice,
): Promise<{ readonly state: LabState; readonly image: Image }> {
  const before = await readState(paths.stateFile);
  const shape = { ...DEFAULT_SHAPE, ...before?.shape, ...given(choice.shape) };
  const machines = planMachines(shape);
  const suite = choice.suite ?? before?.suite ?? "trixie";
  if (before !== undefined && before.suite !== suite) throw suiteDiffers(before.suite, suite);
  const cache = before?.cacheFolder ?? cacheFolder();
  const kept = before === undefined ? undefined : imageAt(cache, before.imageId);
  const image =
    kept !== undefined && existsSync(kept.disk)
      ? kept
      : await ensureImage(world.commands, {
          suite,
          cacheFolder: cache,
          nodeBinary: nodeBinary(),
          nodeVersion: nodeVersion(),
          progress: world.progress,
        });
  if (kept !== undefined && kept.id !== image.id) throw imageGone(kept.id);
  const { accelerator, why } = await probeAccelerator(world.commands, image, cache);
  world.progress(`accelerator: ${accelerator} (${why})`);
  const running = (await findLabProcesses(paths)).machines;
  const state: LabState = {
    version: 1,
    name,
    suite,
    imageId: image.id,
    cacheFolder: cache,
    accelerator,
    cluster: choice.cluster ?? before?.cluster ?? "none",
    shape,
    sshPorts: await choosePorts(machines, before?.sshPorts ?? {}, new Set(running.keys())),
  };
  await writeState(paths.stateFile, state);
  return { state, image };
}

function given(shape: UpChoice["shape"]): Partial<LabShape> {
  return Object.fromEntries(Object.entries(shape).filter(([, value]) => value !== undefined));
}

/** A port once chosen is kept while it is free, so that a second `lab up` changes nothing in the ssh configuration. */
async function choosePorts(
  machines: readonly MachinePlan[],
  before: Readonly<Record<string, number>>,
  running: ReadonlySet<string>,
): Promise<Record<string, number>> {
  const ports: Record<string, number> = {};
  for (const { name } of machines) {
    const port = before[name];
    const keep = port !== undefined && (running.has(name) || (await freePort(port)) === port);
    ports[name] = keep ? port : await otherFreePort(Object.values(ports));
  }
  return ports;
}

async function otherFreePort(taken: readonly number[]): Promise<number> {
  for (let tries = 0; tries < 100; tries += 1) {
    const port = await freePort(0);
    if (port !== undefined && !taken.includes(port)) return port;
  }
  throw new Fault({ code: "lab-no-port", what: "no free TCP port on 127.0.0.1" });
}

function freePort(wanted: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on("error", () => resolve(undefined));
    server.listen(wanted, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** A machine whose switch died has lost its cables for good (QEMU 7.2 does not reconnect): it is powered off here. */
async function ensureSwitch(world: LabWorld, paths: LabPaths, machines: readonly MachinePlan[]): Promise<void> {
  const wanted: SwitchConfig = {
    folder: paths.sockets,
    networks: NETWORKS.map((network) => ({
      name: network,
      machines: machines
        .filter(({ interfaces }) => interfaces.some((at) => at.network === network))
        .map(({ name }) => name),
    })),
  };
  const configFile = switchConfigFile(paths);
  const text = JSON.stringify(wanted);
  if (await isSwitchRunning(paths.sockets)) {
    if (existsSync(configFile) && (await readFile(configFile, "utf8")) === text) return;
    throw new Fault({
      kind: "refused",
      code: "lab-shape-differs",
      what: "this lab runs with other machines",
      remedy: "holdfast lab down, then lab up",
    });
  }
  const { machines: running, switches } = await findLabProcesses(paths);
  for (const process of [...switches, ...running.values()]) await killProcess(world.clock, process);
  if (running.size > 0) world.progress(`ended ${running.size} machines that had lost their switch`);
  await writeFile(configFile, text);
  const [program, ...args] = switchCommand();
  await startDaemon({
    program,
    args: [...args, configFile],
    logFile: `${paths.logs}/switch.log`,
  });
  await waitForSwitch(world.clock, paths.sockets, SWITCH_TIMEOUT_MS);
}

async function startMachines(
  world: LabWorld,
  paths: LabPaths,
  state: LabState,
  image: Image,
  machines: readonly MachinePlan[],
  startedMs: number,
): Promise<readonly MachineUp[]> {
  const running = (await findLabProcesses(paths)).machines;
  const resumable = machines.filter(({ name }) => !running.has(name) && existsSync(memoryFile(paths, name)));
  const resumes = new Set(resumable.map(({ name }) => name));
  const launch = (machine: MachinePlan, resume: boolean): MachineLaunch => ({
    machine,
    image,
    paths,
    accelerator: state.accelerator,
    sshPort: portOf(state, machine.name),
    resume,
  });
  // All memories are loaded before the first machine runs on: they were stopped together and go on together.
  await Promise.all(
    resumable.map(async (machine) => {
      world.progress(`${machine.name}: loading its memory`);
      await startMachine(launch(machine, true));
      await loadMemory(world.clock, paths, machine.name);
    }),
  );
  await Promise.all(resumable.map(({ name }) => resumeMachine(paths, name)));
  return Promise.all(
    machines.map(async (machine): Promise<MachineUp> => {
      const { name } = machine;
      const how = running.has(name) ? "already-running" : resumes.has(name) ? "resumed" : "booted";
      const logBytes = how === "booted" ? await sizeOf(serialLog(paths, name)) : undefined;
      if (how === "booted") {
        world.progress(`${name}: booting`);
        await startMachine(launch(machine, false));
      }
      if (how === "already-running" && (await machineState(paths, name)) === "paused") await resumeMachine(paths, name);
      return waitForMachine(world, paths, state, name, how, logBytes, startedMs);
    }),
  );
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
    const bound = { what: `${name}: ${what}`, timeoutMs: BOOT_TIMEOUT_MS, intervalMs: READY_POLL_MS };
    const reached = await waitFor(world.clock, bound, async () => {
      if (await probe()) return since();
      if ((await findLabProcesses(paths)).machines.has(name)) return undefined;
      throw machineEnded(paths, name);
    });
    if (reached === undefined) throw notReady(paths, name, what);
    return reached;
  };
  const sshAfterMs = await wait("ssh", () => sshGreets(portOf(state, name)));
  if (logBytes !== undefined) await wait("ready", () => consoleSays(serialLog(paths, name), logBytes, READY_LINE));
  // Opens the connection that later commands share, and gives a resumed machine the time of day.
  const nowS = (world.clock.wallMs() / 1000).toFixed(3);
  const argv = how === "resumed" ? ["date", "-u", "-s", `@${nowS}`] : ["true"];
  await sshExec(world.commands, paths.sshConfig, name, argv);
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

function machineEnded(paths: LabPaths, name: string): Fault {
  return new Fault({
    code: "lab-machine-ended",
    what: `${name} ended while it was waited for`,
    remedy: `read ${serialLog(paths, name)} and the .qemu file beside it`,
  });
}

function notReady(paths: LabPaths, name: string, what: string): Fault {
  return new Fault({
    code: "lab-machine-not-ready",
    what: `${name} did not reach "${what}" within ${inSeconds(BOOT_TIMEOUT_MS)}`,
    remedy: `read ${serialLog(paths, name)}; then lab down and lab up`,
  });
}

function suiteDiffers(before: string, wanted: string): Fault {
  return new Fault({
    kind: "refused",
    code: "lab-suite-differs",
    what: `this lab's disks are ${before}, not ${wanted}`,
    remedy: "holdfast lab down --wipe first, or give the other lab its own --name",
  });
}

function imageGone(id: string): Fault {
  return new Fault({
    kind: "refused",
    code: "lab-image-gone",
    what: `the image ${id}, on which this lab's disks stand, is no longer in the cache`,
    remedy: "holdfast lab down --wipe, then lab up",
  });
}
