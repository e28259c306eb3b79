import { Fault } from "../base/fault.ts";
import { readState } from "../lab/state.ts";
import { labStatus } from "../lab/status.ts";
import type { CliCommand } from "./command.ts";
import { LAB_NAME_OPTION, labNamed } from "./lab-options.ts";

export const LAB_STATUS: CliCommand = {
  words: ["lab", "status"],
  summary: "machines, their state, addresses, and the faults in force",
  arguments: [],
  options: [LAB_NAME_OPTION],
  run: async ({ options, io }) => {
    const { name, paths } = labNamed(options);
    const state = await readState(paths.stateFile);
    if (state === undefined) {
      throw new Fault({ code: "lab-missing", what: `there is no lab named ${name}`, remedy: "holdfast lab up" });
    }
    const status = await labStatus(paths, state);
    io.say(
      `lab ${name}: Debian ${status.suite}, ${status.accelerator}, cluster ${status.cluster}, ${megabytes(status.diskBytes)} on disk`,
    );
    io.say(`folder: ${status.folder}`);
    for (const machine of status.machines) {
      const ssh = machine.ssh ? `ssh port ${machine.sshPort}` : "no ssh";
      io.say(
        `${machine.name.padEnd(4)} ${machine.state.padEnd(8)} ${ssh.padEnd(15)} ${Object.values(machine.addresses).flat().join(" ")}`,
      );
    }
    if (!status.switchRunning) io.say("switch: not running");
    for (const { machine, network, direction, cut, loss, delayMs, jitterMs } of status.networkFaults) {
      const effects = [
        ...(cut ? ["cut"] : []),
        ...(loss > 0 ? [`loss ${(loss * 100).toFixed(1)} %`] : []),
        ...(delayMs > 0 || jitterMs > 0 ? [`delay ${delayMs} ms, jitter ${jitterMs} ms`] : []),
      ];
      io.say(`fault: ${machine} ${network} ${direction}: ${effects.join(", ")}`);
    }
    for (const { disk, failing, iops, bytesPerSecond } of status.diskFaults) {
      const limit = [
        ...(iops > 0 ? [`${iops} requests/s`] : []),
        ...(bytesPerSecond > 0 ? [`${bytesPerSecond} bytes/s`] : []),
      ];
      io.say(`fault: disk ${disk}: ${[...(failing ? ["failing"] : []), ...limit].join(", ")}`);
    }
    io.document(status);
    return 0;
  },
};

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}
