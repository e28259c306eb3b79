/** A node's shell, as root: through OpenSSH, or directly where this machine is the node. */
import { hostname } from "node:os";
import { Fault } from "../base/fault.ts";
import type { Spec } from "../model/spec.ts";
import { remoteCommands, type RemoteHost } from "../ssh/remote-commands.ts";
import { commandLine, type CommandResult, type Commands } from "../system/commands.ts";

export interface NodeShell {
  readonly node: string;
  /** The node's own programs behind the one door. */
  readonly commands: Commands;
  /** Runs a script; any exit status is a result. */
  run(script: string, timeoutMs: number): Promise<CommandResult>;
  /** Runs a script that must end with status 0; gives its output. */
  must(script: string, timeoutMs: number, what: string): Promise<string>;
  /**
   * Puts a file there, whole or not at all. The content goes over stdin: it is in no argument and in no log.
   * @param mode e.g. 0o400
   */
  put(path: string, content: string | Uint8Array, mode: number): Promise<void>;
  /** The file's content, for the ones that go from node to node. */
  read(path: string): Promise<Buffer>;
}

export type OpenShell = (node: string) => NodeShell;

const PUT_TIMEOUT_MS = 600_000;
const READ_TIMEOUT_MS = 30_000;

/** @param local the door of this machine. */
export function nodeShells(spec: Spec, local: Commands): OpenShell {
  const configPath = spec.cluster.ssh.config ?? process.env["HOLDFAST_SSH_CONFIG"];
  return (node) => {
    const here = hostname().split(".")[0] === node && process.getuid?.() === 0;
    const remote: RemoteHost = { host: node, ...(configPath === undefined ? {} : { configPath }) };
    return nodeShell(node, here ? local : remoteCommands(local, remote));
  };
}

export function nodeShell(node: string, commands: Commands): NodeShell {
  const run = (script: string, timeoutMs: number): Promise<CommandResult> =>
    commands.run({ tool: "sh", args: ["-s"], timeoutMs, input: script });
  const must = async (script: string, timeoutMs: number, what: string): Promise<string> => {
    const result = await run(script, timeoutMs);
    if (result.status === 0) return result.stdout;
    throw failed(node, what, result);
  };
  return {
    node,
    commands,
    run,
    must,
    put: async (path, content, mode) => {
      const fresh = `${path}.holdfast-new`;
      // The script is an argument here, because stdin is the content: nothing secret stands in it.
      const script = [
        "set -e",
        // Pacemaker's controller asks a resource agent what it is as the user hacluster: it must reach the folder.
        "umask 022",
        `mkdir -p "$(dirname "${path}")"`,
        "umask 077",
        `cat > "${fresh}"`,
        `chmod ${mode.toString(8).padStart(4, "0")} "${fresh}"`,
        `mv -f "${fresh}" "${path}"`,
      ].join("; ");
      const command = { tool: "sh", args: ["-c", script], timeoutMs: PUT_TIMEOUT_MS, input: content } as const;
      const result = await commands.run(command);
      if (result.status !== 0) throw failed(node, `writing ${path}`, result);
    },
    read: async (path) => {
      const result = await commands.run({
        tool: "sh",
        args: ["-c", `base64 < "${path}"`],
        timeoutMs: READ_TIMEOUT_MS,
      });
      if (result.status !== 0) throw failed(node, `reading ${path}`, result);
      return Buffer.from(result.stdout, "base64");
    },
  };
}

/** Says what the node's programs said; the command that carried it there tells nobody anything. */
function failed(node: string, what: string, result: CommandResult): Fault {
  const said = (result.stderr.trim() || result.stdout.trim() || "no output").slice(-2000);
  const refused = result.status === REFUSED_STATUS;
  return new Fault({
    kind: refused ? "refused" : "failed",
    code: refused ? "node-refused" : "node-command-failed",
    what: `${node}: ${what} ended with status ${result.status}: ${said}`,
    remedy: `mend that, and apply again: it goes on where it stopped. To look: ${commandLine({ tool: "ssh", args: [node] })}`,
  });
}

/** A script that finds that it must not go on ends with this. */
export const REFUSED_STATUS = 93;
