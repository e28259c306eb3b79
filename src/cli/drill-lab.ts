/** Joins drills to the lab: machines by its ssh configuration, moves by the `move` command, and a lab brought up when none runs. */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Fault } from "../base/fault.ts";
import type { World } from "../drill/measure.ts";
import { logicalVolumeDevices, type FileserverTarget } from "../drill/placement.ts";
import type { MachineFaults, Machines, Progress, Recorder } from "../drill/ports.ts";
import { writeCrowdProgram, writeProbeProgram } from "../drill/program.ts";
import { withLabLock } from "../lab/lock.ts";
import { findLabProcesses } from "../lab/machines.ts";
import { openLab, type Lab } from "../lab/open.ts";
import { labPaths, type LabPaths } from "../lab/paths.ts";
import { checkLabName } from "../lab/plan.ts";
import { isStock, STOCK_CLUSTERS } from "../lab/stock-cluster.ts";
import { readState } from "../lab/state.ts";
import type { Spec, VolumeDevice } from "../model/spec.ts";
import { systemClock, waitFor } from "../system/clock.ts";
import { moverOf } from "./drill-mover.ts";
import { stockMoverOf } from "./drill-stock.ts";
import { LAB_DOWN } from "./lab-down.ts";
import { LAB_UP } from "./lab-up.ts";
import { runQuietly, type FindCommand } from "./run-quietly.ts";
import { readSpecFile } from "./spec-file.ts";

export interface DrillLab {
  readonly world: World;
  readonly spec: Spec;
  readonly fileservers: readonly FileserverTarget[];
  readonly nodes: readonly string[];
  readonly clients: readonly string[];
  /** True when it was there before. */
  readonly found: boolean;
}

/** The systems that a drill can be run on. */
export const DRILL_CLUSTERS = ["holdfast", ...STOCK_CLUSTERS] as const;
export type DrillCluster = (typeof DRILL_CLUSTERS)[number];

export interface DrillLabSettings {
  readonly name: string;
  /** Leave a lab that was brought up for the drill. */
  readonly keep: boolean;
  /** Forget the disks of a lab that was made for this, not only stop it. */
  readonly wipe: boolean;
  /** So many client machines the drill needs; 1 where it is not said. */
  readonly clients?: number;
  /** Somebody has to decide in the cluster: engine pacemaker. */
  readonly needsEngine?: boolean;
  /** Of a lab that is made for this; "holdfast" where it is not said. A lab that is there keeps its own. */
  readonly cluster?: DrillCluster;
}

/** Runs `body` on a lab that serves; one that had to be brought up is taken down afterwards. One drill at a time. */
export function withDrillLab<T>(
  findCommand: FindCommand,
  settings: DrillLabSettings,
  progress: Progress,
  body: (lab: DrillLab) => Promise<T>,
): Promise<T> {
  const paths = labPaths(checkLabName(settings.name));
  return aloneInLab(paths, () => withServingLab(findCommand, settings, paths, progress, body));
}

/** Two drills would take each other's mounts away and judge each other's faults. */
export async function aloneInLab<T>(paths: Pick<LabPaths, "sockets">, deed: () => Promise<T>): Promise<T> {
  let mine = false;
  try {
    return await withLabLock({ sockets: `${paths.sockets}/drill` }, () => {
      mine = true;
      return deed();
    });
  } catch (error) {
    if (mine || !(error instanceof Fault) || error.code !== "lab-busy") throw error;
    throw new Fault({
      kind: "refused",
      code: "drill-runs",
      what: "another drill runs in this lab",
      why: "they would take each other's mounts away and judge each other's faults",
      remedy: "wait until it is over, or give this one a lab of its own: --lab NAME",
      cause: error,
    });
  }
}

async function withServingLab<T>(
  findCommand: FindCommand,
  settings: DrillLabSettings,
  paths: LabPaths,
  progress: Progress,
  body: (lab: DrillLab) => Promise<T>,
): Promise<T> {
  const existed = existsSync(paths.stateFile);
  const found = await isServing(paths);
  const program = await mkdtemp(join(tmpdir(), "holdfast-probe-"));
  try {
    if (!found) {
      progress(`lab ${settings.name}: bringing it up`);
      const { shape, cluster: kept = "none" } = (await readState(paths.stateFile)) ?? {};
      const cluster = kept === "none" ? (settings.cluster ?? "holdfast") : kept;
      // A lab that was made with more keeps them.
      const clients = (settings.clients ?? 1) > (shape?.clients ?? 1) ? { clients: settings.clients } : {};
      const engine = settings.needsEngine === true && !existed && cluster === "holdfast" ? { engine: "pacemaker" } : {};
      const options = { name: settings.name, cluster, ...clients, ...engine };
      await runQuietly(LAB_UP, { args: [], options }, progress);
    }
    const localPath = join(program, "probe.mjs");
    await Promise.all([writeProbeProgram(localPath), writeCrowdProgram(join(program, "crowd.mjs"))]);
    const lab = await openDrillLab(findCommand, settings.name, program, found, progress);
    requireClients(lab, settings);
    requireEngine(lab, settings);
    await serveAll(lab);
    return await body(lab);
  } finally {
    await rm(program, { recursive: true, force: true });
    if (!found && !settings.keep) {
      progress(`lab ${settings.name}: taking it down`);
      const options = { name: settings.name, wipe: settings.wipe && !existed };
      await runQuietly(LAB_DOWN, { args: [], options }, progress);
    }
  }
}

function requireClients({ clients }: DrillLab, { name, clients: wanted = 1 }: DrillLabSettings): void {
  if (clients.length >= wanted) return;
  throw new Fault({
    kind: "invalid",
    code: "drill-needs-clients",
    what: `this drill needs ${wanted} clients, and lab ${name} has ${clients.join(", ") || "none"}`,
    remedy: `holdfast lab down --name ${name}, then holdfast lab up --name ${name} --cluster holdfast --clients ${wanted}`,
  });
}

function requireEngine({ spec }: DrillLab, { name, needsEngine = false }: DrillLabSettings): void {
  if (!needsEngine || spec.cluster.engine === "pacemaker") return;
  throw new Fault({
    kind: "invalid",
    code: "drill-needs-engine",
    what: `this drill needs a cluster that decides by itself, and lab ${name} has engine ${spec.cluster.engine}`,
    remedy: `holdfast lab down --wipe --name ${name}, then holdfast lab up --name ${name} --cluster holdfast --engine pacemaker --clients 2, and holdfast apply`,
  });
}

/** A lab that was just made serves nothing yet: `move` brings each fileserver into service where it belongs. */
async function serveAll({ world, spec, fileservers, nodes }: DrillLab): Promise<void> {
  // A stock cluster starts its service by itself; until then it has no member that could be told.
  if (world.system !== "holdfast") return waitServed(world, fileservers);
  for (const { name } of fileservers) {
    try {
      await world.mover.serving(name);
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== "served-nowhere") throw error;
      const node = spec.fileservers.find((one) => one.name === name)?.placement.prefer ?? nodes[0] ?? "";
      world.progress(`${name}: bringing it into service on ${node}`);
      await world.mover.move(name, node);
    }
  }
}

const SERVED_TIMEOUT_MS = 600_000;
const SERVED_INTERVAL_MS = 3_000;

async function waitServed({ mover, clock }: World, fileservers: readonly FileserverTarget[]): Promise<void> {
  for (const { name } of fileservers) {
    const bound = { what: `${name} served`, timeoutMs: SERVED_TIMEOUT_MS, intervalMs: SERVED_INTERVAL_MS };
    const node = await waitFor(clock, bound, () => mover.serving(name).catch(() => undefined));
    // Says why.
    if (node === undefined) await mover.serving(name);
  }
}

/** A lab fits when all its machines run and it was set up to serve. */
async function isServing(paths: LabPaths): Promise<boolean> {
  const state = await readState(paths.stateFile);
  if (state === undefined || state.cluster === "none" || !existsSync(paths.spec)) return false;
  const { machines } = await findLabProcesses(paths);
  return Object.keys(state.sshPorts).every((name) => machines.has(name));
}

async function openDrillLab(
  findCommand: FindCommand,
  name: string,
  programs: string,
  found: boolean,
  progress: Progress,
): Promise<DrillLab> {
  const lab = await openLab(name, progress);
  const { spec } = await readSpecFile(lab.specPath);
  const machines = labMachines(lab);
  const fileservers = spec.fileservers.map((one): FileserverTarget => {
    const exported = one.exports[0];
    const device = one.volumes.find((volume) => volume.name === exported?.volume)?.device;
    const devices = device === undefined ? [] : devicesOf(device);
    if (exported !== undefined) return { name: one.name, host: one.hostname, exportPath: exported.path, devices };
    throw new Fault({ kind: "invalid", code: "nothing-exported", what: `fileserver ${one.name} exports nothing` });
  });
  const nodes = spec.cluster.nodes.map((node) => node.name as string);
  const ofStock = isStock(lab.cluster);
  const mover = ofStock
    ? stockMoverOf({ machines, nodes, progress })
    : moverOf({ findCommand, spec, specPath: lab.specPath, machines, fileservers, nodes, progress });
  const world: World = {
    machines,
    mover,
    ...(ofStock ? {} : { spec }),
    faults: labFaults(lab, spec),
    evidenceFolder: join(lab.folder, "evidence"),
    clock: systemClock,
    program: { localPath: join(programs, "probe.mjs"), remoteNode: "/usr/lib/holdfast/node" },
    crowdProgram: join(programs, "crowd.mjs"),
    system: lab.cluster,
    accelerator: lab.accelerator,
    progress,
    recorder: labRecorder(lab),
  };
  const clients = lab.machines.flatMap(({ name: machine, role }) => (role === "client" ? [machine] : []));
  return { world, spec, fileservers, nodes, clients, found };
}

const STORAGE = "st";

function labFaults(lab: Lab, spec: Spec): MachineFaults {
  const paths = labPaths(lab.name);
  return {
    lab: {
      storage: STORAGE,
      inject: (fault) => lab.inject(fault),
      isOn: async (machine) => (await findLabProcesses(paths)).machines.has(machine),
      // As the lab gives them out: the first fileserver has the first one (src/lab/cluster-spec.ts).
      diskOf: (fileserver) => `lun${spec.fileservers.findIndex(({ name }) => name === fileserver)}`,
    },
    powerOff: (machine) => lab.inject({ kind: "power-off", machine }),
    powerOn: async (machine) => void (await lab.powerOn(machine)),
  };
}

/** More than a move's worth of the probes' traffic, and little enough to be read at once. */
const RECORDING_BYTES_MAX = 400_000_000;

function labRecorder(lab: Lab): Recorder {
  return {
    start: async (name, from) => {
      const path = join(lab.folder, "recordings", `${name}.pcap`);
      await mkdir(dirname(path), { recursive: true });
      await lab.net.startCapture("lan", {
        file: path,
        maxBytes: RECORDING_BYTES_MAX,
        ...(from === undefined ? {} : { from }),
      });
      return {
        stop: async () => {
          const { endedBecause } = await lab.net.stopCapture("lan");
          return { path, pcap: await readFile(path), ...(endedBecause === undefined ? {} : { endedBecause }) };
        },
      };
    },
    remove: (path) => rm(path, { force: true }),
  };
}

function labMachines(lab: Lab): Machines {
  return {
    exec: (machine, argv, options) => lab.exec(machine, argv, options),
    copyTo: async (machine, localPath, remotePath) => {
      await lab.exec(machine, ["mkdir", "-p", dirname(remotePath)]);
      await lab.copyTo(machine, localPath, remotePath);
    },
  };
}

function devicesOf(device: VolumeDevice): readonly string[] {
  return device.kind === "lv" ? logicalVolumeDevices(device.vg, device.lv) : [device.path];
}
