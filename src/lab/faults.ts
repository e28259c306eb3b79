/** Carries faults out. What each stands for is said in fault-words.ts. */
import { existsSync } from "node:fs";
import { unreachable } from "../base/assert.ts";
import { Fault } from "../base/fault.ts";
import { diskPlace, failDisk, healDisk, slowDisk } from "./disk-faults.ts";
import type { LabFault } from "./fault-words.ts";
import { findLabProcesses, killProcess, pauseMachine, resumeMachine } from "./machines.ts";
import type { LabPaths } from "./paths.ts";
import { LUNS } from "./plan.ts";
import { lunDisk } from "./qemu.ts";
import { qmpSocket } from "./qemu.ts";
import { withQmp } from "./qmp.ts";
import { sshControlPath, sshExec } from "./ssh.ts";
import { switchClient } from "./switch/client.ts";
import type { LabWorld } from "./world.ts";

/** Everything but power-on, which has to boot a machine (up.ts, powerOn). */
export async function carryOut(
  world: LabWorld,
  paths: LabPaths,
  fault: Exclude<LabFault, { readonly kind: "power-on" }>,
): Promise<void> {
  const net = switchClient(paths.sockets);
  switch (fault.kind) {
    case "power-off": {
      const process = (await findLabProcesses(paths)).machines.get(fault.machine);
      if (process === undefined) throw machineOff(fault.machine);
      await killProcess(world.clock, process);
      return dropConnection(world, paths, fault.machine);
    }
    case "reset":
      await onQmp(paths, fault.machine, "system_reset");
      return dropConnection(world, paths, fault.machine);
    case "panic":
      await onQmp(paths, fault.machine, "inject-nmi");
      return dropConnection(world, paths, fault.machine);
    case "freeze":
      await requireOn(paths, fault.machine);
      return pauseMachine(paths, fault.machine);
    case "thaw":
      await requireOn(paths, fault.machine);
      return resumeMachine(paths, fault.machine);
    case "cut":
      await net.setRule(fault, { cut: true });
      return;
    case "loss":
      await net.setRule(fault, { loss: fault.percent / 100 });
      return;
    case "delay":
      await net.setRule(fault, { delayMs: fault.delayMs, jitterMs: fault.jitterMs });
      return;
    case "heal":
      return heal(paths, fault);
    case "slow-disk":
      await requireOn(paths, diskPlace(fault.disk).machine);
      return slowDisk(paths, diskPlace(fault.disk), fault);
    case "fail-disk":
      await requireOn(paths, diskPlace(fault.disk).machine);
      return failDisk(paths, diskPlace(fault.disk), fault.operations);
    case "kill":
      return killInside(world, paths, fault);
    default:
      return unreachable(fault);
  }
}

async function heal(paths: LabPaths, fault: Extract<LabFault, { readonly kind: "heal" }>): Promise<void> {
  const { target, network } = fault;
  const isLun = target !== undefined && LUNS.includes(target);
  if (!isLun) {
    await switchClient(paths.sockets).heal({
      ...(target === undefined ? {} : { machine: target }),
      ...(network === undefined ? {} : { network }),
    });
  }
  if (network !== undefined) return;
  const running = (await findLabProcesses(paths)).machines;
  const disks =
    target === undefined ? [...LUNS.filter((lun) => existsSync(lunDisk(paths, lun))), ...running.keys()] : [target];
  for (const disk of disks) {
    const place = diskPlace(disk);
    if (running.has(place.machine)) await healDisk(paths, place);
  }
}

/** pkill(1) ends with 1 when nothing matched. */
async function killInside(
  world: LabWorld,
  paths: LabPaths,
  fault: Extract<LabFault, { readonly kind: "kill" }>,
): Promise<void> {
  const isPid = /^[0-9]+$/.test(fault.process);
  const argv = isPid
    ? ["/usr/bin/kill", `-${fault.signal}`, fault.process]
    : ["/usr/bin/pkill", `-${fault.signal}`, "-x", fault.process];
  const result = await sshExec(world.commands, paths.sshConfig, fault.machine, argv);
  if (result.status === 0) return;
  throw new Fault({
    code: "lab-process-unknown",
    what: `no process ${fault.process} runs on ${fault.machine}${result.stderr === "" ? "" : `: ${result.stderr.trim()}`}`,
    remedy: `holdfast lab ssh ${fault.machine} -- ps -e -o pid,comm`,
  });
}

async function onQmp(paths: LabPaths, machine: string, command: string): Promise<void> {
  await requireOn(paths, machine);
  await withQmp(qmpSocket(paths, machine), (qmp) => qmp.execute(command));
}

async function requireOn(paths: LabPaths, machine: string): Promise<void> {
  if (!(await findLabProcesses(paths)).machines.has(machine)) throw machineOff(machine);
}

/** A shared ssh connection to a machine that is gone would hold the next command up until it notices. */
async function dropConnection(world: LabWorld, paths: LabPaths, machine: string): Promise<void> {
  const { connections } = await findLabProcesses(paths);
  const path = sshControlPath(paths, machine);
  for (const connection of connections) {
    if (connection.argv[0]?.startsWith(`ssh: ${path} `) === true) await killProcess(world.clock, connection);
  }
}

function machineOff(machine: string): Fault {
  return new Fault({
    code: "lab-machine-off",
    what: `${machine} is off`,
    remedy: `holdfast lab fault power-on ${machine}`,
  });
}
