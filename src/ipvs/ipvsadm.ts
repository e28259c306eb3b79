/** ipvsadm(8): the text that it restores from, and what it prints. */
import { unreachable } from "../base/assert.ts";
import { Fault } from "../base/fault.ts";
import { formatAddress, parseAddress } from "../model/address.ts";
import type { Endpoint, IpvsEdit, IpvsServer, IpvsService } from "../model/director-table.ts";

/**
 * Standard input of `ipvsadm --restore`: one command per line, in order (restore_table, ipvsadm.c). A line that fails is
 * told on stderr, and the ones after it are carried out all the same.
 */
export function restoreText(edits: readonly IpvsEdit[]): string {
  return edits.map((edit) => `${editLine(edit)}\n`).join("");
}

function editLine(edit: IpvsEdit): string {
  const key = `-f ${edit.service.mark}${edit.service.family === 6 ? " -6" : ""}`;
  switch (edit.edit) {
    case "add-service":
    case "change-service": {
      const { scheduler, persistentS } = edit.service;
      const word = edit.edit === "add-service" ? "-A" : "-E";
      return `${word} ${key} -s ${scheduler}${persistentS === undefined ? "" : ` -p ${persistentS}`}`;
    }
    case "delete-service":
      return `-D ${key}`;
    case "add-server":
      return `-a ${key} -r ${serverText(edit.server.address)} -g -w ${edit.server.weight}`;
    case "change-server":
      return `-e ${key} -r ${serverText(edit.server.address)} -g -w ${edit.server.weight}`;
    case "delete-server":
      return `-d ${key} -r ${serverText(edit.server.address)}`;
    default:
      return unreachable(edit);
  }
}

/** A service of packet marks has every port: 0. */
function serverText(address: string): string {
  return address.includes(":") ? `[${address}]:0` : `${address}:0`;
}

/** What `ipvsadm --save --numeric` prints; services that are not found by packet mark are left out. */
export function parseSaved(text: string): readonly IpvsService[] {
  const services: (Omit<IpvsService, "servers"> & { readonly servers: IpvsServer[] })[] = [];
  for (const line of text.split("\n").filter((each) => each.trim() !== "")) {
    const words = line.trim().split(/\s+/);
    const [command] = words;
    if (command !== "-A" && command !== "-a") throw notUnderstood("ipvsadm --save", line);
    const mark = Number(wordAfter(words, "-f"));
    if (!words.includes("-f")) continue;
    const family = words.includes("-6") ? 6 : 4;
    if (command === "-A") {
      const persistent = wordAfter(words, "-p");
      services.push({
        mark,
        family,
        scheduler: wordAfter(words, "-s") ?? "",
        ...(persistent === undefined ? {} : { persistentS: Number(persistent) }),
        servers: [],
      });
      continue;
    }
    const service = services.find((each) => each.mark === mark && each.family === family);
    const server = parseEndpoint(wordAfter(words, "-r") ?? "");
    const weight = Number(wordAfter(words, "-w"));
    if (service === undefined || server === undefined || !Number.isInteger(weight))
      throw notUnderstood("ipvsadm --save", line);
    service.servers.push({ address: server.address, weight });
  }
  return services;
}

function wordAfter(words: readonly string[], option: string): string | undefined {
  const at = words.indexOf(option);
  return at < 0 ? undefined : words[at + 1];
}

export interface ServerConnections {
  readonly mark: number;
  readonly family: 4 | 6;
  readonly address: string;
  readonly weight: number;
  readonly active: number;
  readonly inactive: number;
}

/** What `ipvsadm --list --numeric` prints of services found by packet mark: one entry per server. */
export function parseListed(text: string): readonly ServerConnections[] {
  const found: ServerConnections[] = [];
  let service: { readonly mark: number; readonly family: 4 | 6 } | undefined;
  for (const line of text.split("\n")) {
    const head = /^FWM\s+(\d+)(\s+IPv6)?\s/.exec(line);
    if (head !== null) service = { mark: Number(head[1]), family: head[2] === undefined ? 4 : 6 };
    else if (/^(?:TCP|UDP|SCTP)\s/.test(line)) service = undefined;
    const server = /^\s+->\s+(\S+)\s+\w+\s+(\d+)\s+(\d+)\s+(\d+)\s*$/.exec(line);
    if (server === null || service === undefined) continue;
    const endpoint = parseEndpoint(server[1] ?? "");
    if (endpoint === undefined) throw notUnderstood("ipvsadm --list", line);
    found.push({
      ...service,
      address: endpoint.address,
      weight: Number(server[2]),
      active: Number(server[3]),
      inactive: Number(server[4]),
    });
  }
  return found;
}

/** "10.77.0.61:2049" or "[fd77::61]:2049", in canonical text. */
function parseEndpoint(text: string): Endpoint | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text);
  const address = parseAddress(match?.[1] ?? match?.[2] ?? "");
  return match === null || address === undefined
    ? undefined
    : { address: formatAddress(address), port: Number(match[3]) };
}

/** What `ipvsadm --list --daemon` prints: which of the two sync daemons run. */
export function parseDaemons(text: string): readonly ("master" | "backup")[] {
  return (["master", "backup"] as const).filter((state) => new RegExp(`^${state} sync daemon`, "m").test(text));
}

function notUnderstood(program: string, line: string): Fault {
  return new Fault({
    code: "ipvsadm-not-understood",
    what: `${program} printed what is not understood: ${JSON.stringify(line)}`,
    remedy: "the director leaves the table as it is; report this with the version of ipvsadm",
  });
}
