/** The command door of a resident agent: programs are started by the node's holder, not by a fork of the agent itself. */
import { assert } from "../base/assert.ts";
import { Fault } from "../base/fault.ts";
import { commandLine, type Commands } from "../system/commands.ts";
import { toolPath } from "../system/tools.ts";
import type { HolderClient } from "./holder-client.ts";

/** Forking the agent costs more than twice what forking a small shell does (measured: docs/results.md). */
export function hostCommands(holder: HolderClient, timeScale: number): Commands {
  return {
    async run(command) {
      assert(command.input === undefined, `${command.tool} needs input, which a holder does not pass on`);
      try {
        return await holder.run([[toolPath(command.tool), ...command.args]], command.timeoutMs * timeScale);
      } catch (error) {
        throw new Fault({ code: "command-timed-out", what: `${commandLine(command)} gave no answer`, cause: error });
      }
    },
  };
}
