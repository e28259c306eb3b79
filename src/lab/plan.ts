/**
 * What a lab consists of, as data: machines, their networks, addresses and hardware addresses.
 * Pure: the same shape always gives the same plan, so that a restarted lab finds its disks and clients their server.
 */
import { Fault } from "../base/fault.ts";

export type Role = "node" | "storage" | "client" | "director";
export type Network = "lan" | "ring" | "san";

export const NETWORKS: readonly Network[] = ["lan", "ring", "san"];

/** IPv4 networks are /24; the lan also carries fd77::/64. The last number is the machine's own. */
const NETWORK_PREFIX: Readonly<Record<Network, string>> = { lan: "10.77.0", ring: "10.78.0", san: "10.79.0" };
const LAN_PREFIX_IPV6 = "fd77::";

/** The interface of each network inside the machines; eth0 is the management network, which only ssh from the host uses. */
export const NETWORK_DEVICE: Readonly<Record<Network, string>> = { lan: "eth1", ring: "eth2", san: "eth3" };
const NETWORK_NUMBER: Readonly<Record<Network, number>> = { lan: 1, ring: 2, san: 3 };

export interface LabShape {
  readonly nodes: number;
  readonly clients: number;
  readonly directors: number;
}

export const NODES_MAX = 8;
export const CLIENTS_MAX = 8;
export const DIRECTORS_MAX = 4;
/** Every LUN that a lab can have; one per fileserver. */
export const LUNS: readonly string[] = ["lun0", "lun1", "lun2", "lun3"];
export const LUN_SIZE_BYTES = 4 * 1024 ** 3;

export interface MachinePlan {
  readonly name: string;
  readonly role: Role;
  /** Last number of every address of the machine. */
  readonly number: number;
  readonly memoryMiB: number;
  readonly managementMac: string;
  readonly interfaces: readonly InterfacePlan[];
  /** Disks beside the system disk, by the serial they carry. */
  readonly luns: readonly string[];
}

export interface InterfacePlan {
  readonly network: Network;
  readonly device: string;
  readonly mac: string;
  /** With prefix length. */
  readonly addresses: readonly string[];
}

const ROLES: Readonly<
  Record<
    Role,
    {
      readonly prefix: string;
      readonly first: number;
      readonly memoryMiB: number;
      readonly networks: readonly Network[];
    }
  >
> = {
  // Memory: node holds Holdfast's agent (Node.js) and the fileservers' page cache; the storage machine only passes blocks on.
  node: { prefix: "n", first: 11, memoryMiB: 900, networks: ["lan", "ring", "san"] },
  storage: { prefix: "st", first: 9, memoryMiB: 640, networks: ["lan", "ring", "san"] },
  client: { prefix: "c", first: 21, memoryMiB: 768, networks: ["lan"] },
  director: { prefix: "d", first: 31, memoryMiB: 512, networks: ["lan"] },
};

/** Throws a Fault of kind "invalid" when a number is outside what the address plan has room for. */
export function planMachines(shape: LabShape): readonly MachinePlan[] {
  checkCount("nodes", shape.nodes, 1, NODES_MAX);
  checkCount("clients", shape.clients, 0, CLIENTS_MAX);
  checkCount("directors", shape.directors, 0, DIRECTORS_MAX);
  return [
    // Storage first: nodes log in to it when they boot.
    { ...planMachine("storage", "st", 0), luns: LUNS.slice(0, fileserversOf(shape.nodes).length) },
    ...count(shape.nodes).map((index) => planMachine("node", `n${index + 1}`, index)),
    ...count(shape.clients).map((index) => planMachine("client", `c${index + 1}`, index)),
    ...count(shape.directors).map((index) => planMachine("director", `d${index + 1}`, index)),
  ];
}

function planMachine(role: Role, name: string, index: number): MachinePlan {
  const number = ROLES[role].first + index;
  return {
    name,
    role,
    number,
    memoryMiB: ROLES[role].memoryMiB,
    managementMac: macOf(0, number),
    interfaces: ROLES[role].networks.map((network) => ({
      network,
      device: NETWORK_DEVICE[network],
      mac: macOf(NETWORK_NUMBER[network], number),
      addresses: addressesOf(network, number),
    })),
    luns: [],
  };
}

export function addressOf(network: Network, number: number): string {
  return `${NETWORK_PREFIX[network]}.${number}`;
}

function addressesOf(network: Network, number: number): readonly string[] {
  const ipv4 = `${addressOf(network, number)}/24`;
  return network === "lan" ? [ipv4, `${LAN_PREFIX_IPV6}${number}/64`] : [ipv4];
}

/** 52:54:00 is the prefix that QEMU's own machines use: locally administered. */
function macOf(network: number, number: number): string {
  return `52:54:00:77:0${network}:${number.toString(16).padStart(2, "0")}`;
}

function count(length: number): readonly number[] {
  return Array.from({ length }, (_, index) => index);
}

function checkCount(what: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new Fault({
    kind: "invalid",
    code: "lab-shape-invalid",
    what: `--${what} ${value} is not possible`,
    why: `a lab has ${min} to ${max} ${what}`,
    remedy: `give --${what} a whole number from ${min} to ${max}`,
  });
}

export interface LabFileserver {
  readonly name: string;
  /** Last number of its addresses. */
  readonly number: number;
}

/** Fileservers' own addresses, which every machine resolves by name. */
const LAB_FILESERVERS: readonly LabFileserver[] = [
  { name: "home", number: 50 },
  { name: "media", number: 51 },
  { name: "projects", number: 52 },
  { name: "scratch", number: 53 },
];

const FILESERVERS_OF_TWO_NODES = 2;

/** More nodes than two have more to carry. */
export function fileserversOf(nodes: number): readonly LabFileserver[] {
  return nodes > 2 ? LAB_FILESERVERS : LAB_FILESERVERS.slice(0, FILESERVERS_OF_TWO_NODES);
}

/** /etc/hosts of every machine: all names that any lab can have, so that the image does not depend on the shape. */
export function hostsFile(): string {
  const every = planMachines({ nodes: NODES_MAX, clients: CLIENTS_MAX, directors: DIRECTORS_MAX });
  const lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost"];
  for (const machine of every) {
    for (const { network, addresses } of machine.interfaces) {
      const names = network === "lan" ? `${machine.name} ${machine.name}.lab.example` : `${machine.name}-${network}`;
      for (const address of addresses) lines.push(`${address.split("/")[0]} ${names}`);
    }
  }
  for (const { name, number } of LAB_FILESERVERS) {
    lines.push(`${addressOf("lan", number)} ${name}.lab.example ${name}`);
    lines.push(`${LAN_PREFIX_IPV6}${number} ${name}.lab.example ${name}`);
  }
  return `${lines.join("\n")}\n`;
}

const NAME_PATTERN = /^[a-z][a-z0-9-]{0,30}$/;

/** Lab names become folder names and process names. */
export function checkLabName(name: string): string {
  if (NAME_PATTERN.test(name)) return name;
  throw new Fault({
    kind: "invalid",
    code: "lab-name-invalid",
    what: `"${name}" is not a lab name`,
    remedy: "use up to 31 lower-case letters, digits and hyphens, beginning with a letter",
  });
}
