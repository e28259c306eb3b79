/** A lab as other programs use it: drills get one from the command line. */
import { Fault } from "../base/fault.ts";
import { systemClock } from "../system/clock.ts";
import { systemCommands, type CommandResult } from "../system/commands.ts";
import { carryOut } from "./faults.ts";
import type { LabFault } from "./fault-words.ts";
import { imageAt } from "./image.ts";
import { labPaths } from "./paths.ts";
import { planMachines, type MachinePlan } from "./plan.ts";
import type { Accelerator } from "./qemu.ts";
import { sshCopy, sshExec, type ExecOptions } from "./ssh.ts";
import { readState, type LabCluster } from "./state.ts";
import { switchClient, type SwitchClient } from "./switch/client.ts";
import { powerOn, type MachineUp } from "./boot.ts";
import type { LabWorld } from "./world.ts";

export interface Lab {
  readonly name: string;
  readonly folder: string;
  /** The spec of the lab's cluster; the file is there when the lab was made with a cluster. */
  readonly specPath: string;
  readonly sshConfigPath: string;
  readonly accelerator: Accelerator;
  readonly cluster: LabCluster;
  readonly machines: readonly MachinePlan[];
  /** Any exit status is a result; a machine that cannot be reached is a Fault "lab-machine-unreachable". */
  exec(machine: string, argv: readonly string[], options?: ExecOptions): Promise<CommandResult>;
  copyTo(machine: string, hostPath: string, machinePath: string): Promise<void>;
  copyFrom(machine: string, machinePath: string, hostPath: string): Promise<void>;
  /** power-on waits until the machine is ready. */
  inject(fault: LabFault): Promise<void>;
  /** Resolves with its times when the machine has booted; with `wait: false` as soon as it has power. */
  powerOn(machine: string, options?: { readonly wait?: boolean }): Promise<MachineUp | undefined>;
  readonly net: SwitchClient;
}

const NOTHING = (): void => undefined;

/** Throws a Fault "lab-missing" when there is no lab of that name. */
export async function openLab(name = "lab", progress: (line: string) => void = NOTHING): Promise<Lab> {
  const paths = labPaths(name);
  const state = await readState(paths.stateFile);
  if (state === undefined) {
    throw new Fault({
      kind: "invalid",
      code: "lab-missing",
      what: `there is no lab named ${name} in ${paths.folder}`,
      remedy: "holdfast lab up",
    });
  }
  const world: LabWorld = { commands: systemCommands({ timeScale: 1 }), clock: systemClock, progress };
  const machines = planMachines(state.shape);
  const known = (machine: string): string => {
    if (machines.some((plan) => plan.name === machine)) return machine;
    throw machineUnknown(name, machine, machines);
  };
  const start: Lab["powerOn"] = (machine, options) =>
    powerOn(world, paths, state, imageAt(state.cacheFolder, state.imageId), known(machine), options?.wait ?? true);
  return {
    name,
    folder: paths.folder,
    specPath: paths.spec,
    sshConfigPath: paths.sshConfig,
    accelerator: state.accelerator,
    cluster: state.cluster,
    machines,
    exec: (machine, argv, options) => sshExec(world.commands, paths.sshConfig, known(machine), argv, options),
    copyTo: (machine, from, to) => sshCopy(world.commands, paths.sshConfig, from, `${known(machine)}:${to}`),
    copyFrom: (machine, from, to) => sshCopy(world.commands, paths.sshConfig, `${known(machine)}:${from}`, to),
    inject: async (fault) => {
      if (fault.kind === "power-on") await start(fault.machine);
      else await carryOut(world, paths, fault);
    },
    powerOn: start,
    net: switchClient(paths.sockets),
  };
}

function machineUnknown(lab: string, machine: string, machines: readonly MachinePlan[]): Fault {
  return new Fault({
    kind: "invalid",
    code: "lab-machine-unknown",
    what: `lab ${lab} has no machine ${machine}`,
    remedy: `its machines are ${machines.map((plan) => plan.name).join(", ")}`,
  });
}
