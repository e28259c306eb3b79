/** `holdfast unstandby`: the node may carry fileservers again. */
import { Fault } from "../base/fault.ts";
import { readClusterState, standby } from "../pacemaker/commands.ts";
import { runChecked, type Commands } from "../system/commands.ts";
import type { Spec } from "../model/spec.ts";
import type { CliCommand } from "./command.ts";
import { FILE_OPTION, fileOption, readSpecFile } from "./spec-file.ts";
import { refuseWithoutCluster } from "./standby.ts";
import { shellsOf } from "./survey-cluster.ts";

export const UNSTANDBY: CliCommand = {
  words: ["unstandby"],
  summary: "end a node's standby: it may carry fileservers again",
  details:
    "Nothing moves back by itself, unless a fileserver's failback says so. Exit status 0 also where it was not in standby.",
  arguments: [{ name: "node", help: "which one" }],
  options: [FILE_OPTION],
  run: async ({ args, options, io }) => {
    const { spec } = await readSpecFile(fileOption(options));
    const [node = ""] = args;
    refuseWithoutCluster(spec, node);
    const changed = await endStandby(spec, node, (name) => shellsOf(spec)(name).commands);
    io.document({ node, standby: false, changed });
    io.say(changed ? `${node} is back in service` : `${node} was not in standby; nothing was changed`);
    return 0;
  },
};

/** True where it was in standby. Asks one node after the other until one can say. */
export async function endStandby(spec: Spec, node: string, commandsOf: (node: string) => Commands): Promise<boolean> {
  let cause: unknown;
  for (const { name } of spec.cluster.nodes) {
    const commands = commandsOf(name);
    try {
      const state = await readClusterState(commands);
      const found = state.nodes.find((each) => each.name === node);
      if (found?.standby === false) return false;
    } catch (error) {
      cause = error;
      continue;
    }
    await runChecked(commands, standby(node, false));
    return true;
  }
  throw new Fault({
    code: "cluster-unknown",
    what: `no node of ${spec.cluster.name} answers; nothing was changed`,
    remedy: "look on a node: systemctl status corosync pacemaker",
    cause,
  });
}
