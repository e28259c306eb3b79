/** `holdfast init`: finds out what it can about this machine, asks for the rest, writes a commented spec. */
import { existsSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { hostname, networkInterfaces } from "node:os";
import { createInterface } from "node:readline";
import { Fault, messageOf } from "../base/fault.ts";
import { contains, formatCidr, networkOf, parseAddress, parseCidr, specialAddress } from "../model/address.ts";
import {
  checkCidr,
  checkDevice,
  checkDiskPath,
  checkHostname,
  checkInterface,
  checkName,
  type LeafCheck,
} from "../model/leaf.ts";
import { parseSpec } from "../model/load.ts";
import { specFault } from "../model/problem.ts";
import { nodeShell } from "../apply/node-shell.ts";
import { combineScouts, readScout, SCOUT_SCRIPT, type Scouted } from "../apply/scout.ts";
import { remoteCommands } from "../ssh/remote-commands.ts";
import { systemCommands } from "../system/commands.ts";
import type { CliCommand, Option } from "./command.ts";
import { initText, type InitAnswers } from "./init-text.ts";

/** What this machine knows of itself. */
export interface Surroundings {
  /** As the kernel has it, with or without a domain. */
  readonly hostname: string;
  /** From the resolver's configuration; undefined where it has none. */
  readonly domain: string | undefined;
  /** Addresses with prefix length of interfaces that lead somewhere. */
  readonly links: readonly { readonly interface: string; readonly cidr: string }[];
}

/** Asks one question; undefined where nobody is there to answer. */
export type Ask = (question: string, suggestion: string | undefined, check: LeafCheck) => Promise<string | undefined>;

const OPTIONS: readonly Option[] = [
  { flags: "-f, --file <path>", help: "the file to write", default: "holdfast.yaml" },
  { flags: "--cluster <name>", help: "the cluster's name", default: "holdfast" },
  {
    flags: "--node <name...>",
    help: "a node: its name, and it is asked for the rest by ssh; or with its addresses, e.g. n1=10.77.0.11,10.78.0.11; by default this machine",
  },
  { flags: "--fileserver <name>", help: "the first fileserver's name", default: "home" },
  { flags: "--hostname <name>", help: "the name by which clients mount it" },
  { flags: "--address <address>", help: "its address, e.g. 10.77.0.50/24" },
  { flags: "--interface <name>", help: "the nodes' interface to the clients; by default the one with that network" },
  { flags: "--device <device>", help: "its first volume: VG/LV, or a path below /dev/disk/by-id/" },
  {
    flags: "--disk <path>",
    help: "the disk that apply makes the volume group of; by default one that all nodes see empty",
  },
  { flags: "--engine <engine>", help: "pacemaker or standalone; by default pacemaker where there are several nodes" },
  { flags: "--ssh-config <path>", help: "an OpenSSH configuration that leads to the nodes" },
  { flags: "--filesystem <kind>", help: "xfs or ext4", default: "xfs" },
  { flags: "--client <match>", help: "who may mount, read and write; by default the address's network" },
];

export const INIT: CliCommand = {
  words: ["init"],
  summary: "write a commented holdfast.yaml",
  details:
    "Finds out what it can about this machine and asks for the rest; without a terminal everything comes from options.\nNever overwrites a file (exit status 3).",
  arguments: [],
  options: OPTIONS,
  run: async ({ options, io }) => {
    const path = textOption(options, "file") ?? "holdfast.yaml";
    if (existsSync(path)) throw exists(path);
    const answers = await ask(
      process.stdin.isTTY && !io.json,
      options,
      await scoutNodes(options, (line) => io.progress(line)),
    );
    const text = initText(answers);
    const parsed = parseSpec(text);
    if (!parsed.ok) throw specFault(path, parsed.problems);
    await writeNew(path, text);
    io.document({ path, answers });
    io.say(`wrote ${path}: cluster ${answers.cluster}, fileserver ${answers.fileserver} at ${answers.address}`);
    io.say("look through it, then: holdfast check, holdfast plan, holdfast apply");
    return 0;
  },
};

async function ask(
  interactive: boolean,
  options: Readonly<Record<string, unknown>>,
  scouted: Scouted | undefined,
): Promise<InitAnswers> {
  if (!interactive) return gatherAnswers(options, surroundings(), askNobody, scouted);
  const terminal = createInterface({ input: process.stdin });
  try {
    const lines = terminal[Symbol.asyncIterator]();
    return await gatherAnswers(
      options,
      surroundings(),
      askOn(lines, (text) => void process.stderr.write(text)),
      scouted,
    );
  } finally {
    terminal.close();
  }
}

/** Options first, then what the machine knows, then questions; a Fault names every option that is still missing. */
export async function gatherAnswers(
  options: Readonly<Record<string, unknown>>,
  machine: Surroundings,
  ask: Ask,
  scouted?: Scouted,
): Promise<InitAnswers> {
  // What the nodes have counts; this machine may be none of them.
  const here = scouted === undefined ? machine : { ...machine, links: scouted.links };
  const missing: string[] = [];
  const need = async (option: string, question: string, check: LeafCheck, suggestion?: string): Promise<string> => {
    const given = textOption(options, option) ?? (await ask(question, suggestion, check)) ?? suggestion;
    if (given === undefined) missing.push(`--${option}`);
    return given ?? "";
  };
  const fileserver = textOption(options, "fileserver") ?? "home";
  const guess = here.domain === undefined ? undefined : `${fileserver}.${here.domain}`;
  const host = await need("hostname", "name by which clients mount, with its domain", checkHostname, guess);
  const address = withPrefix(
    await need("address", "address that moves with the fileserver", checkAnyAddress(here)),
    here,
  );
  const link = linkOf(address, here);
  const parent =
    textOption(options, "interface") ??
    link?.interface ??
    (address === "" ? "" : await need("interface", "the nodes' interface to the clients", checkInterface));
  const [disk] =
    textOption(options, "disk") === undefined ? (scouted?.emptyDisks ?? []) : [textOption(options, "disk")];
  const newVolume = disk !== undefined && textOption(options, "device") === undefined;
  const device = newVolume
    ? `${fileserver}/data`
    : await need("device", "first volume, VG/LV or a path below /dev/disk/by-id/", checkDevice);
  const disks = newVolume ? [await need("disk", "empty disk for the first volume", checkDiskPath, disk)] : undefined;
  if (missing.length > 0) throw incomplete(missing);
  const cidr = parseCidr(address);
  const nodes = scouted?.nodes ?? nodesFrom(options["node"], here);
  const sshConfig = textOption(options, "sshConfig");
  return {
    cluster: textOption(options, "cluster") ?? "holdfast",
    engine: textOption(options, "engine") ?? (nodes.length > 1 ? "pacemaker" : "standalone"),
    nodes,
    ...(disks === undefined ? {} : { disks }),
    ...(sshConfig === undefined ? {} : { sshConfig }),
    fileserver,
    hostname: host,
    address,
    interface: parent,
    device,
    filesystem: textOption(options, "filesystem") ?? "xfs",
    client:
      textOption(options, "client") ??
      (cidr === undefined ? "" : formatCidr(networkOf(cidr.address, cidr.prefixLength))),
  };
}

const SCOUT_TIMEOUT_MS = 60_000;

/** Nodes that were given by their names alone are asked for the rest; undefined where none was. */
async function scoutNodes(
  options: Readonly<Record<string, unknown>>,
  progress: (line: string) => void,
): Promise<Scouted | undefined> {
  const given = Array.isArray(options["node"]) ? options["node"].map(String) : [];
  const bare = given.filter((node) => !node.includes("="));
  if (bare.length === 0) return undefined;
  if (bare.length < given.length) {
    throw new Fault({
      kind: "invalid",
      code: "init-node",
      what: "some nodes are given with their addresses, and some without",
      remedy: "give all of them by their names, or all with NAME=ADDRESS,ADDRESS",
    });
  }
  const bad = bare.find((node) => checkName(node) !== undefined);
  if (bad !== undefined) {
    throw new Fault({
      kind: "invalid",
      code: "init-node",
      what: `--node ${bad} is not the name of a node`,
      remedy: "write e.g. --node n1 n2",
    });
  }
  const config = textOption(options, "sshConfig");
  progress(`asking ${bare.join(", ")} …`);
  const scouts = await Promise.all(
    bare.map(async (host) => {
      const remote = { host, ...(config === undefined ? {} : { configPath: config }) };
      const shell = nodeShell(host, remoteCommands(systemCommands({ timeScale: 1 }), remote));
      const scout = readScout(await shell.must(SCOUT_SCRIPT, SCOUT_TIMEOUT_MS, "asking it"));
      if (scout !== undefined) return scout;
      throw new Fault({
        code: "look-cut-short",
        what: `${host} did not answer to the end`,
        remedy: `try: ssh ${host} true`,
      });
    }),
  );
  return combineScouts(scouts);
}

function incomplete(missing: readonly string[]): Fault {
  return new Fault({
    kind: "invalid",
    code: "init-incomplete",
    what: `cannot find out ${missing.join(", ")}, and there is no terminal to ask on`,
    remedy: "give them as options; holdfast init --help explains each",
  });
}

function textOption(options: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const given = options[name];
  return typeof given === "string" && given !== "" ? given : undefined;
}

/** An address of a network that this machine is in may be given without its prefix length. */
function withPrefix(address: string, here: Surroundings): string {
  const alone = parseAddress(address);
  if (alone === undefined) return address;
  const link = here.links.find((each) => networkHolds(each.cidr, address));
  return link === undefined ? address : `${address}/${link.cidr.split("/")[1] ?? ""}`;
}

function checkAnyAddress(here: Surroundings): LeafCheck {
  return (text) => checkCidr(withPrefix(text, here));
}

function linkOf(address: string, here: Surroundings): Surroundings["links"][number] | undefined {
  return here.links.find((link) => networkHolds(link.cidr, address.split("/")[0] ?? ""));
}

function networkHolds(network: string, text: string): boolean {
  const [cidr, address] = [parseCidr(network), parseAddress(text)];
  return cidr !== undefined && address !== undefined && contains(networkOf(cidr.address, cidr.prefixLength), address);
}

function nodesFrom(given: unknown, here: Surroundings): InitAnswers["nodes"] {
  if (!Array.isArray(given) || given.length === 0) {
    const name = (here.hostname.split(".")[0] ?? "").toLowerCase();
    const own = here.links.map((link) => link.cidr.split("/")[0] ?? "").filter((address) => !address.includes(":"));
    return [{ name, addresses: own.slice(0, 1) }];
  }
  return given.map((item) => {
    const [name = "", addresses = ""] = String(item).split("=", 2);
    if (checkName(name) === undefined && addresses !== "") return { name, addresses: addresses.split(",") };
    throw new Fault({
      kind: "invalid",
      code: "init-node",
      what: `--node ${String(item)} is not a node with its addresses`,
      remedy: "write NAME=ADDRESS or NAME=ADDRESS,ADDRESS, e.g. --node n1=10.77.0.11,10.78.0.11",
    });
  });
}

function surroundings(): Surroundings {
  const name = hostname();
  const links = Object.entries(networkInterfaces()).flatMap(([each, addresses]) =>
    (addresses ?? []).flatMap((address) => {
      const parsed = parseAddress(address.address);
      const usable = !address.internal && parsed !== undefined && specialAddress(parsed) === undefined;
      return usable && address.cidr !== null ? [{ interface: each, cidr: address.cidr }] : [];
    }),
  );
  const dot = name.indexOf(".");
  return { hostname: name, domain: dot < 0 ? searchDomain() : name.slice(dot + 1), links };
}

/** The first search domain of resolv.conf(5). */
function searchDomain(): string | undefined {
  try {
    return /^(?:search|domain)\s+(\S*[A-Za-z]\S*)/m
      .exec(readFileSync("/etc/resolv.conf", "utf8"))?.[1]
      ?.replace(/\.$/, "");
  } catch {
    // A machine without a resolver's configuration has no domain to suggest; the question is asked without one.
    return undefined;
  }
}

const ATTEMPTS_MAX = 3;

const askNobody: Ask = () => Promise.resolve(undefined);

/**
 * Asks on a terminal. `lines` is read for the whole conversation, so that what was typed or pasted ahead answers the next
 * question and is not lost.
 */
export function askOn(lines: AsyncIterator<string>, write: (text: string) => void): Ask {
  return async (question, suggestion, check) => {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      write(`${question}${suggestion === undefined ? "" : ` [${suggestion}]`}: `);
      const line = await lines.next();
      if (line.done === true) throw unanswered(question, "the input ended");
      const answer = line.value.trim() || (suggestion ?? "");
      const problem = check(answer);
      if (problem === undefined) return answer;
      write(`  ${problem.what}: ${problem.remedy}\n`);
    }
    throw unanswered(question, `${ATTEMPTS_MAX} answers were no use`);
  };
}

function unanswered(question: string, why: string): Fault {
  return new Fault({
    kind: "invalid",
    code: "init-unanswered",
    what: `no answer to: ${question}`,
    why: `${why}; nothing was written`,
    remedy: "start again, or give the answers as options (holdfast init --help)",
  });
}

async function writeNew(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text, { flag: "wx" });
  } catch (error) {
    if ((error as { code?: string }).code === "EEXIST") throw exists(path);
    throw new Fault({
      code: "init-unwritten",
      what: `cannot write ${path}: ${messageOf(error)}`,
      remedy: "check that the folder exists and may be written to, or name another file with -f",
      cause: error,
    });
  }
}

function exists(path: string): Fault {
  return new Fault({
    kind: "refused",
    code: "init-exists",
    what: `${path} exists already`,
    why: "a spec that describes a cluster is not overwritten",
    remedy: "name another file with -f, or move the old one away",
  });
}
