import { Fault } from "../base/fault.ts";
import { redeploy } from "../lab/bring-up.ts";
import { findLabProcesses } from "../lab/machines.ts";
import { readState } from "../lab/state.ts";
import type { CliCommand } from "./command.ts";
import { LAB_NAME_OPTION, labNamed, labWorld } from "./lab-options.ts";

export const LAB_DEPLOY: CliCommand = {
  words: ["lab", "deploy"],
  summary: "bundle Holdfast anew, put it into all running machines and restart the agents",
  arguments: [],
  options: [LAB_NAME_OPTION],
  run: async ({ options, io }) => {
    const { name, paths } = labNamed(options);
    const state = await readState(paths.stateFile);
    const running = [...(await findLabProcesses(paths)).machines.keys()];
    if (state === undefined || running.length === 0) {
      throw new Fault({ code: "lab-not-running", what: `lab ${name} is not running`, remedy: "holdfast lab up" });
    }
    const deployed = await redeploy(labWorld(io), paths, state, running);
    io.say(deployed.length === 0 ? "nothing changed" : `new bundle on ${deployed.join(", ")}`);
    io.document({ name, machines: running, deployed });
    return 0;
  },
};
