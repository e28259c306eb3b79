/** A door to the programs of another machine: the same commands, through the system's OpenSSH. */
import { Fault } from "../base/fault.ts";
import type { Command, CommandResult, Commands } from "../system/commands.ts";
import { toolPath } from "../system/tools.ts";

export interface RemoteHost {
  readonly host: string;
  /** An OpenSSH client configuration; the user's own where it is not given. */
  readonly configPath?: string;
}

/** OpenSSH's own failures (ssh(1), EXIT STATUS). */
const SSH_FAILED_STATUS = 255;
/** What ssh itself may take beyond the program's own bound. */
const CONNECT_TIMEOUT_MS = 30_000;

/**
 * Programs of the table, run as root's own on the host. Secrets go over `input` only: arguments are seen by every user
 * of both machines.
 */
export function remoteCommands(local: Commands, remote: RemoteHost): Commands {
  return { run: (command) => runRemote(local, remote, command) };
}

async function runRemote(local: Commands, remote: RemoteHost, command: Command): Promise<CommandResult> {
  const words = [toolPath(command.tool), ...command.args].map(quoteForShell).join(" ");
  const result = await local.run({
    tool: "ssh",
    args: [...sshArgs(remote), "--", `LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin ${words}`],
    timeoutMs: command.timeoutMs + CONNECT_TIMEOUT_MS,
    ...(command.input === undefined ? {} : { input: command.input }),
  });
  if (result.status !== SSH_FAILED_STATUS) return result;
  throw new Fault({
    code: "node-unreachable",
    what: `${remote.host} cannot be reached by ssh: ${result.stderr.trim() || "no reason given"}`,
    remedy: `try: ssh ${remote.configPath === undefined ? "" : `-F ${remote.configPath} `}${remote.host} true`,
  });
}

/** Never asks: whoever started this may have no terminal, and several nodes would ask at once. */
export function sshArgs(remote: RemoteHost): readonly string[] {
  return [
    ...(remote.configPath === undefined ? [] : ["-F", remote.configPath]),
    "-T",
    "-o",
    "BatchMode=yes",
    remote.host,
  ];
}

/** A word as the remote shell takes it unchanged. */
export function quoteForShell(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
