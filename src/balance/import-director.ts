/** From a director's old configuration to `directors:` of a spec, and what an operator has to know of the difference. Pure. */
import { parseAddress, parseCidr, formatAddress } from "../model/address.ts";
import { NAME_LENGTH_MAX } from "../model/names.ts";
import type { FileserverSpec } from "../model/spec.ts";
import type { OldCheck, OldConfiguration, OldDirector, OldFlow, OldServer } from "./old-configuration.ts";

export interface ImportFinding {
  /** Of the old file; 0 for the whole. */
  readonly line: number;
  /** must: the spec is not complete or not right without it. should: better otherwise. note: good to know. */
  readonly weight: "must" | "should" | "note";
  readonly code: string;
  readonly what: string;
  readonly remedy: string;
}

export interface Imported {
  /** `directors:` as YAML. */
  readonly text: string;
  readonly findings: readonly ImportFinding[];
}

export interface ImportGround {
  /** name and address of each machine; empty: to be filled in. */
  readonly machines: readonly { readonly name: string; readonly address: string }[];
  /** Of the spec that the result goes into: a flow with a fileserver's address becomes that fileserver's service. */
  readonly fileservers: readonly FileserverSpec[];
}

const NFS_PORT = 2049;
const DEFAULT_PREFIX = { 4: 24, 6: 64 } as const;
const INTERVAL_MAX_S = 60;
const OLD_INTERVAL_S = 10;
const OLD_TIMEOUT_S = 3;
const FILL_IN = "FILL-IN";

export function importDirector(old: OldConfiguration, ground: ImportGround): Imported {
  const findings: ImportFinding[] = [];
  const services = old.directors.flatMap((director) => serviceLines(director, old.flows, ground, findings));
  for (const { line, text } of old.unread) {
    findings.push(
      finding(line, "should", "not-understood", `not understood: ${text}`, "say in the spec what it did, or let it go"),
    );
  }
  for (const flow of old.flows.filter(({ director }) => !old.directors.some(({ name }) => name === director))) {
    findings.push(
      finding(
        flow.line,
        "must",
        "director-unknown",
        `flow ${flow.name} leads to a director ${flow.director} that is not there`,
        "correct the name in the old file and import again",
      ),
    );
  }
  if (services.length === 0) {
    findings.push(
      finding(
        0,
        "must",
        "no-service",
        "there is no director with servers in the file",
        "give the file with the director sections",
      ),
    );
  }
  const machines = ground.machines.length > 0 ? ground.machines : [{ name: "d1", address: FILL_IN }];
  if (ground.machines.length === 0) {
    findings.push(
      finding(
        0,
        "must",
        "machines-missing",
        "the old file does not say which machines are the director",
        "write their names and addresses, two of them, or give --machines",
      ),
    );
  }
  const text = [
    "directors:",
    "  - name: imported",
    "    machines:",
    ...machines.map(({ name, address }) => `      - { name: ${name}, address: ${scalar(address)} }`),
    "    services:",
    ...services.map((line) => `      ${line}`),
    "",
  ].join("\n");
  return { text, findings: findings.toSorted((a, b) => a.line - b.line) };
}

function finding(
  line: number,
  weight: ImportFinding["weight"],
  code: string,
  what: string,
  remedy: string,
): ImportFinding {
  return { line, weight, code, what, remedy };
}

function serviceLines(
  director: OldDirector,
  flows: readonly OldFlow[],
  ground: ImportGround,
  findings: ImportFinding[],
): readonly string[] {
  const own = flows.filter((flow) => flow.director === director.name);
  const note = (line: number, weight: ImportFinding["weight"], code: string, what: string, remedy: string): void =>
    void findings.push(finding(line, weight, code, what, remedy));
  const addresses = [
    ...new Set([...own.flatMap((flow) => flow.addresses), ...(own.length === 0 ? [director.address ?? ""] : [])]),
  ];
  const flow = own[0];
  for (const each of own.filter(({ rest }) => rest.length > 0)) {
    note(
      each.line,
      "note",
      "flow-wider",
      `flow ${each.name} matched ${each.rest.join(" ")} too; here a flow is every protocol and port of its address`,
      "nothing: NFS needs several ports, and its server's own calls are answered by this way",
    );
  }
  const known = ground.fileservers.find((each) =>
    each.addresses.some(({ address }) => addresses.some((text) => plain(text) === address)),
  );
  if (known !== undefined) {
    note(
      director.line,
      "note",
      "fileserver-found",
      `${addresses.join(", ")} is the fileserver ${known.name}: its nodes are the servers, and the cluster decides`,
      "compare its nodes with the servers of the old file",
    );
    return [`- fileserver: ${known.name}`];
  }
  if (own.length === 0 && director.address === undefined) {
    note(
      director.line,
      "must",
      "flow-missing",
      `director ${director.name} has neither a flow nor an address`,
      "it is left out; write a flow for it and import again",
    );
    return [];
  }
  if (flow?.interface === undefined) {
    note(
      flow?.line ?? director.line,
      "must",
      "interface-missing",
      `the interface of director ${director.name} is not in the file`,
      `write it in the place of ${FILL_IN}`,
    );
  }
  describeDifferences(director, note);
  const { servers, last } = splitServers(director, note);
  return [
    `- name: ${nameOf(director.name, director.line, note)}`,
    `  flow: { interface: ${flow?.interface ?? FILL_IN}, address: [${addresses.map((text) => withPrefix(text, director.line, note)).join(", ")}] }`,
    "  servers:",
    ...servers.map(
      (server) =>
        `    - { name: ${nameOf(server.name, server.line, note)}, address: ${scalar(server.address)}, weight: ${weightOf(server, note)} }`,
    ),
    ...(last === undefined
      ? []
      : [`  lastResort: { name: ${nameOf(last.name, last.line, note)}, address: ${scalar(last.address)} }`]),
    ...checkLines(director.check, director.line, note),
  ];
}

type Note = (line: number, weight: ImportFinding["weight"], code: string, what: string, remedy: string) => void;

function describeDifferences(director: OldDirector, note: Note): void {
  const { line, name } = director;
  note(
    line,
    "should",
    "independent-servers",
    `the servers of ${name} are independent: nothing fences the one that is given up, and locks do not move`,
    "let a cluster carry the data, and write fileserver: NAME",
  );
  if (director.mode !== undefined && director.mode !== "gateway") {
    note(
      line,
      "must",
      "mode-not-there",
      `mode ${director.mode} is not there: packets go to servers unchanged (gateway)`,
      "give the servers the flow's address, without ARP for it, and their own addresses on its network (docs/director.md)",
    );
  }
  if (director.balance.length > 0) {
    note(
      line,
      "note",
      "balance-dropped",
      `balance ${director.balance.join(" ")} spread clients over servers that share no locks; here one server has all`,
      "for read-only copies write scheduler: wlc, or another",
    );
  }
  for (const option of director.options) {
    const [word = ""] = option;
    if (/^(?:tcp|http|arp|icmp)check$/.test(word)) {
      note(
        line,
        "note",
        "check-replaced",
        `${word} is replaced by an RPC NULL to NFS: it passed on a server whose threads all hang`,
        "nothing",
      );
    } else if (word === "persistence") {
      note(line, "note", "persistence-dropped", "persistence is not needed where one server has all", "nothing");
    } else
      note(
        line,
        "should",
        "not-understood",
        `option ${option.join(" ")} is not understood`,
        "say in the spec what it did, or let it go",
      );
  }
}

function splitServers(
  director: OldDirector,
  note: Note,
): { readonly servers: readonly OldServer[]; readonly last: OldServer | undefined } {
  const servers = director.servers.filter(({ sorry }) => !sorry);
  const [last, ...more] = director.servers.filter(({ sorry }) => sorry);
  if (servers.length === 0)
    note(director.line, "must", "no-servers", `director ${director.name} has no servers`, "write them");
  for (const server of servers) {
    if (!server.checked)
      note(
        server.line,
        "note",
        "check-added",
        `server ${server.name} was not checked; here every server is`,
        "nothing",
      );
    if (server.port !== undefined && server.port !== 0 && server.port !== NFS_PORT) {
      note(
        server.line,
        "should",
        "port-dropped",
        `port ${server.port} of server ${server.name} is left out: a packet keeps its port`,
        "let the server listen on the ports that clients use",
      );
    }
  }
  if (last !== undefined) {
    note(
      last.line,
      "should",
      "last-resort",
      `server ${last.name} serves when no other can, with none of the clients' state`,
      "leave it out unless clients are better off with other data than with none",
    );
  }
  for (const server of more)
    note(
      server.line,
      "should",
      "one-last-resort",
      `server ${server.name} is a second server of last resort, and left out`,
      "keep one",
    );
  return { servers, last };
}

function weightOf(server: OldServer, note: Note): number {
  if (server.weight !== 0) return server.weight ?? 1;
  note(
    server.line,
    "must",
    "weight-zero",
    `server ${server.name} has weight 0, which took nothing`,
    "leave the server out, or keep the weight of 1 that stands in its place",
  );
  return 1;
}

/** All tries of a check take at most half of its interval; the old one waited for one try, and took the server out after it. */
function checkLines(check: OldCheck, line: number, note: Note): readonly string[] {
  const intervalS = Math.min(check.intervalS ?? OLD_INTERVAL_S, INTERVAL_MAX_S);
  const halfMs = intervalS * 500;
  const timeoutMs = Math.min((check.timeoutS ?? OLD_TIMEOUT_S) * 1000, halfMs);
  const tries = 2 * timeoutMs <= halfMs ? 2 : 1;
  note(
    line,
    "should",
    "slow-check",
    `the old check looked every ${intervalS} s: a dead server kept its clients for that long`,
    "leave check out: the default looks every second",
  );
  const port = check.port === undefined || check.port === NFS_PORT ? "" : `, port: ${check.port}`;
  return [`  check: { interval: ${intervalS}s, timeout: ${timeoutMs}ms, tries: ${tries}${port} }`];
}

function nameOf(text: string, line: number, note: Note): string {
  const name = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, "-")
    .slice(0, NAME_LENGTH_MAX)
    .replaceAll(/^-+|-+$/g, "");
  if (name !== text)
    note(line, "note", "renamed", `${text} is called ${name}: names are labels in lower case`, "nothing");
  return name === "" ? FILL_IN : name;
}

function plain(text: string): string {
  const address = parseCidr(text)?.address ?? parseAddress(text);
  return address === undefined ? text : formatAddress(address);
}

/** A host's address is written with the prefix of its network here, and without or as a host (/32) there. */
function withPrefix(text: string, line: number, note: Note): string {
  const cidr = parseCidr(text);
  const address = cidr?.address ?? parseAddress(text);
  if (address === undefined) {
    note(
      line,
      "must",
      "address-not-understood",
      `${text} is not an address`,
      "write the address that clients know, with its network's prefix length",
    );
    return scalar(text);
  }
  const host = address.family === 4 ? 32 : 128;
  if (cidr !== undefined && cidr.prefixLength < host) return scalar(text);
  const assumed = DEFAULT_PREFIX[address.family];
  note(
    line,
    "must",
    "prefix-assumed",
    `the network of ${formatAddress(address)} is taken to be a /${assumed}`,
    "write its real prefix length",
  );
  return scalar(`${formatAddress(address)}/${assumed}`);
}

/** IPv6 addresses hold what YAML reads as keys. */
function scalar(text: string): string {
  return /^[A-Za-z0-9./-]+$/.test(text) ? text : JSON.stringify(text);
}
