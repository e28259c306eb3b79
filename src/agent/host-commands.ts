/** The command door of a resident agent: programs are started by the node's holder, not by a fork of the agent itself. */
import { assert } from "../base/assert.ts";
import { Fault, toFault } from "../base/fault.ts";
import { commandLine, type Commands } from "../system/commands.ts";
import { toolPath } from "../system/tools.ts";
import type { HolderClient } from "./holder-client.ts";

export interface HostCommands extends Commands {
  /** Command lines that were given up and have not ended. */
  overdue(): readonly string[];
}

/**
 * Forking the agent costs more than twice what forking a small shell does (measured: docs/results.md).
 *
 * @param connect starts the node's holder where none lives, and opens it; called again when the holder has died.
 */
export async function hostCommands(connect: () => Promise<HolderClient>, timeScale: number): Promise<HostCommands> {
  let holder = await connect();
  return {
    overdue: () => holder.overdue(),
    async run(command) {
      assert(command.input === undefined, `${command.tool} needs input, which a holder does not pass on`);
      const words = [[toolPath(command.tool), ...command.args]];
      const timeoutMs = command.timeoutMs * timeScale;
      try {
        return await holder.run(words, timeoutMs);
      } catch (error) {
        // "holder-gone": the request was never read, so that it can be sent again.
        if (toFault(error).code !== "holder-gone") throw noAnswer(commandLine(command), error);
      }
      holder.close();
      holder = await connect();
      return holder
        .run(words, timeoutMs)
        .catch((error: unknown) => Promise.reject(noAnswer(commandLine(command), error)));
    },
  };
}

function noAnswer(line: string, cause: unknown): Fault {
  return new Fault({ code: "command-timed-out", what: `${line} gave no answer`, cause });
}
