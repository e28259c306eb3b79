/** What a lab looks like now. */
import { bytesOnDisk, findLabProcesses, machineState, memoryFile } from "./machines.ts";
import { diskFaults, type DiskFaultState } from "./disk-faults.ts";
import type { LabPaths } from "./paths.ts";
import { planMachines } from "./plan.ts";
import { lunDisk, systemDisk } from "./qemu.ts";
import { sshGreets } from "./ssh.ts";
import type { LabState } from "./state.ts";
import { isSwitchRunning, switchClient } from "./switch/client.ts";
import type { RuleState } from "./switch/protocol.ts";

export interface MachineStatus {
  readonly name: string;
  /** "off", "asleep" (its memory is kept), or QEMU's word: running, paused, … */
  readonly state: string;
  readonly ssh: boolean;
  readonly sshPort: number | undefined;
  readonly addresses: Readonly<Record<string, readonly string[]>>;
  readonly diskBytes: number;
}

export interface LabStatus {
  readonly name: string;
  readonly folder: string;
  readonly suite: string;
  readonly accelerator: string;
  readonly cluster: string;
  readonly switchRunning: boolean;
  readonly machines: readonly MachineStatus[];
  readonly networkFaults: readonly RuleState[];
  readonly diskFaults: readonly DiskFaultState[];
  /** Disks, LUNs and kept memory; the image in the cache is not counted. */
  readonly diskBytes: number;
}

export async function labStatus(paths: LabPaths, state: LabState): Promise<LabStatus> {
  const running = (await findLabProcesses(paths)).machines;
  const plans = planMachines(state.shape);
  const machines = await Promise.all(
    plans.map(async (plan): Promise<MachineStatus> => {
      const on = running.has(plan.name);
      const memoryBytes = await bytesOnDisk(memoryFile(paths, plan.name));
      const port = state.sshPorts[plan.name];
      const word = on
        ? await machineState(paths, plan.name).catch(() => "unknown")
        : memoryBytes > 0
          ? "asleep"
          : "off";
      return {
        name: plan.name,
        state: word,
        ssh: word === "running" && port !== undefined && (await sshGreets(port)),
        sshPort: port,
        addresses: Object.fromEntries(plan.interfaces.map(({ network, addresses }) => [network, addresses])),
        diskBytes: memoryBytes + (await bytesOnDisk(systemDisk(paths, plan.name))),
      };
    }),
  );
  const luns = plans.flatMap((plan) => plan.luns);
  const switchRunning = await isSwitchRunning(paths.sockets);
  const disks = [...(running.has("st") ? luns : []), ...running.keys()];
  const disturbed = await Promise.all(disks.map((disk) => diskFaults(paths, disk)));
  const lunBytes = await Promise.all(luns.map((lun) => bytesOnDisk(lunDisk(paths, lun))));
  return {
    name: state.name,
    folder: paths.folder,
    suite: state.suite,
    accelerator: state.accelerator,
    cluster: state.cluster,
    switchRunning,
    machines,
    networkFaults: switchRunning ? (await switchClient(paths.sockets).rules()).rules : [],
    diskFaults: disturbed.filter((fault) => fault !== undefined),
    diskBytes: sum(lunBytes) + sum(machines.map((machine) => machine.diskBytes)),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
