/** How the host reaches the machines: OpenSSH with one configuration file per lab. */
import { connect } from "node:net";
import { join } from "node:path";
import { Fault } from "../base/fault.ts";
import { runChecked, type CommandResult, type Commands } from "../system/commands.ts";
import type { LabPaths } from "./paths.ts";

export interface SshTarget {
  readonly name: string;
  readonly port: number;
}

export function sshControlPath(paths: Pick<LabPaths, "sockets">, machine: string): string {
  return join(paths.sockets, `ssh-${machine}`);
}

/**
 * Host keys are not checked: the way is a port of this host's loopback, and every lab makes its own. The key exchange
 * is named because the post-quantum default costs an emulated machine a second per connection.
 */
export function sshConfigText(
  paths: Pick<LabPaths, "sockets">,
  targets: readonly SshTarget[],
  identityFile: string,
): string {
  const hosts = targets.map(({ name, port }) => `Host ${name}\n  Port ${port}\n`);
  const common = [
    "Host *",
    "  HostName 127.0.0.1",
    "  User root",
    `  IdentityFile "${identityFile}"`,
    "  IdentitiesOnly yes",
    "  BatchMode yes",
    "  StrictHostKeyChecking no",
    "  UserKnownHostsFile /dev/null",
    "  GlobalKnownHostsFile /dev/null",
    "  LogLevel ERROR",
    "  ConnectTimeout 20",
    "  ServerAliveInterval 5",
    "  ServerAliveCountMax 6",
    "  KexAlgorithms curve25519-sha256",
    "  ControlMaster auto",
    `  ControlPath "${sshControlPath(paths, "%n")}"`,
    "  ControlPersist 3600",
  ];
  return `${hosts.join("\n")}\n${common.join("\n")}\n`;
}

/** A word as the remote shell takes it unchanged. */
export function quoteForShell(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

export interface ExecOptions {
  readonly input?: string;
  readonly timeoutMs?: number;
}

const EXEC_TIMEOUT_MS = 120_000;
/** OpenSSH's own failures (ssh(1), EXIT STATUS). */
const SSH_FAILED_STATUS = 255;

/** Runs a program in a machine; any exit status of it is a result, failing to reach the machine is a Fault. */
export async function sshExec(
  commands: Commands,
  configPath: string,
  machine: string,
  argv: readonly string[],
  options: ExecOptions = {},
): Promise<CommandResult> {
  const result = await commands.run({
    tool: "ssh",
    args: ["-F", configPath, "-T", machine, "--", argv.map(quoteForShell).join(" ")],
    timeoutMs: options.timeoutMs ?? EXEC_TIMEOUT_MS,
    ...(options.input === undefined ? {} : { input: options.input }),
  });
  if (result.status === SSH_FAILED_STATUS) {
    throw new Fault({
      code: "lab-machine-unreachable",
      what: `${machine} could not be reached by ssh: ${result.stderr.trim() || "no reason given"}`,
      remedy: "look at `holdfast lab status`: is the machine running?",
    });
  }
  return result;
}

/** Copies with scp; one of the two sides is `NAME:PATH`. */
export async function sshCopy(commands: Commands, configPath: string, from: string, to: string): Promise<void> {
  await runChecked(commands, {
    tool: "scp",
    args: ["-q", "-r", "-F", configPath, "--", from, to],
    timeoutMs: 600_000,
  });
}

const BANNER_TIMEOUT_MS = 3000;

/** True when an ssh server greets at the port: QEMU accepts connections long before the machine does. */
export function sshGreets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const done = (greets: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(greets);
    };
    const timer = setTimeout(() => done(false), BANNER_TIMEOUT_MS);
    socket.on("data", (chunk: Buffer) => done(chunk.toString("latin1").startsWith("SSH-")));
    socket.on("error", () => done(false));
    socket.on("close", () => done(false));
  });
}
