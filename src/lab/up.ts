/** `lab up`: from whatever is there to machines that answer. Every step looks first, so that a killed run is simply repeated. */
import { existsSync } from "node:fs";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { isDeepStrictEqual } from "node:util";
import { Fault } from "../base/fault.ts";
import { startDaemon } from "../system/processes.ts";
import { startMachines, type MachineUp } from "./boot.ts";
import { installHostPackages } from "./host-packages.ts";
import { ensureImage, imageAt, markImageUsed, type Image } from "./image.ts";
import { probeAccelerator } from "./kvm.ts";
import { withLabLock } from "./lock.ts";
import { ensureDisks, findLabProcesses, killProcess, switchConfigFile } from "./machines.ts";
import { nodeBinary, nodeVersion } from "./node-binary.ts";
import { cacheFolder, switchCommand, type LabPaths } from "./paths.ts";
import { NETWORKS, planMachines, type LabShape, type MachinePlan } from "./plan.ts";
import type { Suite } from "./recipe.ts";
import { sshConfigText } from "./ssh.ts";
import { readState, writeState, type LabEngine, type LabState } from "./state.ts";
import { isSwitchRunning, waitForSwitch } from "./switch/client.ts";
import type { SwitchConfig } from "./switch/config.ts";
import type { LabWorld } from "./world.ts";

/** Undefined: as the lab was made before, or the default. */
export interface UpChoice {
  readonly shape: { readonly [K in keyof LabShape]?: number | undefined };
  readonly suite?: Suite | undefined;
  readonly cluster?: LabState["cluster"] | undefined;
  readonly engine?: LabEngine | undefined;
}

export interface UpReport {
  readonly state: LabState;
  readonly machines: readonly MachineUp[];
}

const DEFAULT_SHAPE: LabShape = { nodes: 2, clients: 1, directors: 0 };
const SWITCH_TIMEOUT_MS = 30_000;

export async function labUp(world: LabWorld, paths: LabPaths, name: string, choice: UpChoice): Promise<UpReport> {
  // Before anything is made.
  planMachines({ ...DEFAULT_SHAPE, ...given(choice.shape) });
  await mkdir(paths.folder, { recursive: true });
  return withLabLock(paths, async () => {
    const startedMs = world.clock.monotonicMs();
    await installHostPackages(world.commands, world.progress);
    const { state, image } = await settleState(world, paths, name, choice);
    const machines = planMachines(state.shape);
    await markImageUsed(image);
    await ensureDisks(world.commands, paths, machines, image);
    await mkdir(paths.logs, { recursive: true });
    await ownFolder(paths.sockets);
    await writeFile(paths.sshConfig, sshConfigText(paths, sshTargets(state), image.sshKey), { mode: 0o600 });
    await ensureSwitch(world, paths, machines);
    const reports = await startMachines(world, paths, state, image, machines, startedMs);
    return { state, machines: reports };
  });
}

/** /tmp is everybody's: a folder that another user made there is not used. */
async function ownFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const { uid } = await stat(path);
  if (uid === process.getuid?.()) return;
  throw new Fault({ kind: "refused", code: "lab-folder-foreign", what: `${path} belongs to another user` });
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
  checkCluster(before, choice);
  const cache = before?.cacheFolder ?? cacheFolder();
  const running = (await findLabProcesses(paths)).machines;
  if (before !== undefined && running.size > 0 && !isDeepStrictEqual(before.shape, shape)) throw shapeDiffers();
  const kept = before === undefined ? undefined : imageAt(cache, before.imageId);
  const image = kept !== undefined && existsSync(kept.disk) ? kept : await imageOf(world, suite, cache);
  if (kept !== undefined && kept.id !== image.id) throw imageGone(kept.id);
  const { accelerator, why } = await probeAccelerator(world.commands, image, cache);
  world.progress(`accelerator: ${accelerator} (${why})`);
  const state: LabState = {
    version: 1,
    name,
    suite,
    imageId: image.id,
    cacheFolder: cache,
    accelerator,
    cluster: choice.cluster ?? before?.cluster ?? "none",
    engine: choice.engine ?? before?.engine ?? "standalone",
    shape,
    sshPorts: await choosePorts(machines, before?.sshPorts ?? {}, new Set(running.keys())),
  };
  await writeState(paths.stateFile, state);
  return { state, image };
}

/** Built where the cache has none of it. */
export function imageOf(world: LabWorld, suite: Suite, cache = cacheFolder()): Promise<Image> {
  return ensureImage(world.commands, {
    suite,
    cacheFolder: cache,
    nodeBinary: nodeBinary(),
    nodeVersion: nodeVersion(),
    progress: world.progress,
  });
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
    throw shapeDiffers();
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

function shapeDiffers(): Fault {
  return new Fault({
    kind: "refused",
    code: "lab-shape-differs",
    what: "this lab runs with other machines than asked for",
    remedy: "holdfast lab down, then lab up; or give the other lab its own --name",
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

/** What one kind of cluster has left on disks and LUN, another one would stumble over. */
function checkCluster(before: LabState | undefined, wanted: Pick<UpChoice, "cluster" | "engine">): void {
  if (before === undefined || before.cluster === "none") return;
  const { cluster = before.cluster, engine = before.engine } = wanted;
  if (cluster === "none") return;
  const differs =
    cluster === before.cluster
      ? engine !== before.engine && [`--engine ${before.engine}`, engine]
      : [`--cluster ${before.cluster}`, cluster];
  if (differs === false) return;
  throw new Fault({
    kind: "refused",
    code: "lab-cluster-differs",
    what: `this lab was made with ${differs[0]}, not ${differs[1]}`,
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
