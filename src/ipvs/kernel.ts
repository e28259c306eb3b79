/** The kernel's IPVS and packet filter on a director's machine. */
import { readFile } from "node:fs/promises";
import { Fault } from "../base/fault.ts";
import type { DirectorKernelSpec } from "../model/director-spec.ts";
import type { IpvsConnection, IpvsEdit, IpvsService } from "../model/director-table.ts";
import { commandFailed, runChecked, type Command, type Commands } from "../system/commands.ts";
import { CONNECTION_FILE, parseConnectionFile } from "./connection-file.ts";
import { parseDaemons, parseListed, parseSaved, restoreText, type ServerConnections } from "./ipvsadm.ts";

const TABLE_TIMEOUT_MS = 2000;
const MODULE_TIMEOUT_MS = 10_000;

function ipvsadm(args: readonly string[]): Command {
  return { tool: "ipvsadm", args, timeoutMs: TABLE_TIMEOUT_MS };
}

/** Before anything else here: net.ipv4.vs is there only with the module. */
export async function loadIpvs(commands: Commands): Promise<void> {
  await runChecked(commands, { tool: "modprobe", args: ["-a", "ip_vs", "ip_vs_rr"], timeoutMs: MODULE_TIMEOUT_MS });
}

export async function readTable(commands: Commands): Promise<readonly IpvsService[]> {
  return parseSaved((await runChecked(commands, ipvsadm(["--save", "--numeric"]))).stdout);
}

export async function readCounts(commands: Commands): Promise<readonly ServerConnections[]> {
  return parseListed((await runChecked(commands, ipvsadm(["--list", "--numeric"]))).stdout);
}

export async function readConnections(): Promise<readonly IpvsConnection[]> {
  return parseConnectionFile(await readFile(CONNECTION_FILE, "utf8"));
}

/** All edits by one program, in order. A Fault where one of them was refused; the others are in force then. */
export async function applyEdits(commands: Commands, edits: readonly IpvsEdit[]): Promise<void> {
  if (edits.length === 0) return;
  const command: Command = { ...ipvsadm(["--restore"]), input: restoreText(edits) };
  const result = await runChecked(commands, command);
  // Its status is that of the last line alone.
  if (result.stderr.trim() !== "") throw commandFailed(command, result);
}

/** Replaces the director's table of the packet filter, in one transaction. */
export async function loadFilter(commands: Commands, text: string): Promise<void> {
  await runChecked(commands, { tool: "nft", args: ["-f", "-"], timeoutMs: TABLE_TIMEOUT_MS, input: text });
}

export async function setTimeouts(commands: Commands, kernel: DirectorKernelSpec): Promise<void> {
  const seconds = [kernel.tcpTimeoutS, kernel.tcpFinTimeoutS, kernel.udpTimeoutS].map(String);
  await runChecked(commands, ipvsadm(["--set", ...seconds]));
}

/**
 * Both sync daemons on every machine, so that whoever has the address tells the others of its connections, and nobody
 * has to be told when that changes. They speak by multicast on the interface (224.0.0.81), unauthenticated.
 */
export async function startSync(commands: Commands, device: string, syncId: number): Promise<void> {
  const running = parseDaemons((await runChecked(commands, ipvsadm(["--list", "--daemon"]))).stdout);
  for (const state of ["master", "backup"] as const) {
    if (running.includes(state)) continue;
    await runChecked(
      commands,
      ipvsadm(["--start-daemon", state, "--mcast-interface", device, "--syncid", String(syncId)]),
    );
  }
}

/** A director of one machine has the flow's address itself; where there are more, keepalived puts it where it belongs. */
export async function takeAddress(commands: Commands, device: string, address: string): Promise<void> {
  const six = address.includes(":");
  // Deprecated from the start: no connection of the machine's own may come from it (RFC 6724, rule 3); keepalived does the same.
  const more = six ? ["nodad", "preferred_lft", "0"] : [];
  const args = ["address", "replace", `${address}/${six ? 128 : 32}`, "dev", device, ...more];
  await runChecked(commands, { tool: "ip", args, timeoutMs: TABLE_TIMEOUT_MS });
}

/** Back addresses are on no network of the machine's: each has its own route to the link. `source`: the machine's own. */
export async function routeTo(commands: Commands, device: string, address: string, source?: string): Promise<void> {
  const six = address.includes(":");
  const from = source === undefined || source.includes(":") !== six ? [] : ["src", source];
  const route = ["route", "replace", `${address}/${six ? 128 : 32}`, "dev", device, ...from];
  const args = six ? ["-6", ...route] : route;
  await runChecked(commands, { tool: "ip", args, timeoutMs: TABLE_TIMEOUT_MS });
}

/** The table is read again after every change: what is wanted is compared with what is there, not with what was said. */
export function tableDiffers(): Fault {
  return new Fault({
    code: "table-differs",
    what: "the kernel's IPVS table is not the one that was asked for",
    why: "another program changes it, or an edit was refused",
    remedy: "the director sets it again; if this stays, look for a second program (keepalived must run with --vrrp)",
  });
}
