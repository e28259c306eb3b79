/** IPv4 and IPv6 addresses: strict parsing, canonical text (RFC 5952), containment. Pure. */
import type { CidrAddress } from "./spec.ts";

export interface Address {
  readonly family: 4 | 6;
  /** The address as one unsigned number: 32 bits for family 4, 128 for family 6. */
  readonly value: bigint;
}

/** An address range; `address` is the lowest address of the range. */
export interface Network {
  readonly address: Address;
  readonly prefixLength: number;
}

export function addressBits(family: 4 | 6): number {
  return family === 4 ? 32 : 128;
}

/** Undefined for anything but one plain address: no prefix, no zone, no leading zeros (which some parsers read as octal). */
export function parseAddress(text: string): Address | undefined {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

const IPV4_NUMBER = /^(?:0|[1-9][0-9]{0,2})$/;

function parseIpv4(text: string): Address | undefined {
  const parts = text.split(".", 5);
  if (parts.length !== 4) return undefined;
  let value = 0n;
  for (const part of parts) {
    if (!IPV4_NUMBER.test(part) || Number(part) > 255) return undefined;
    value = (value << 8n) | BigInt(part);
  }
  return { family: 4, value };
}

const IPV6_GROUP = /^[0-9a-fA-F]{1,4}$/;
const IPV6_TEXT_MAX = 45;

function parseIpv6(text: string): Address | undefined {
  if (text.length > IPV6_TEXT_MAX) return undefined;
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head = "", tail] = halves;
  // Only the last group of all may be a dotted quad (RFC 4291 section 2.2).
  const front = parseGroups(head, tail === undefined);
  const back = tail === undefined ? [] : parseGroups(tail, true);
  if (front === undefined || back === undefined) return undefined;
  const missing = 8 - front.length - back.length;
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  let value = 0n;
  for (const group of [...front, ...Array.from({ length: missing }, () => 0), ...back]) {
    value = (value << 16n) | BigInt(group);
  }
  return { family: 6, value };
}

function parseGroups(text: string, quadAllowed: boolean): readonly number[] | undefined {
  if (text === "") return [];
  const parts = text.split(":");
  const groups: number[] = [];
  for (const [index, part] of parts.entries()) {
    if (IPV6_GROUP.test(part)) {
      groups.push(Number.parseInt(part, 16));
      continue;
    }
    const quad = quadAllowed && index === parts.length - 1 ? parseIpv4(part) : undefined;
    if (quad === undefined) return undefined;
    groups.push(Number(quad.value >> 16n), Number(quad.value & 0xffffn));
  }
  return groups;
}

/** Canonical text: dotted quad, or RFC 5952 (lower case, longest run of zero groups as `::`). */
export function formatAddress(address: Address): string {
  if (address.family === 4) {
    return [24n, 16n, 8n, 0n].map((shift) => String((address.value >> shift) & 0xffn)).join(".");
  }
  const groups = Array.from({ length: 8 }, (_, index) => Number((address.value >> BigInt(112 - 16 * index)) & 0xffffn));
  const run = longestZeroRun(groups);
  if (run === undefined) return formatGroups(groups);
  return `${formatGroups(groups.slice(0, run.start))}::${formatGroups(groups.slice(run.start + run.length))}`;
}

function formatGroups(groups: readonly number[]): string {
  return groups.map((group) => group.toString(16)).join(":");
}

/** RFC 5952 section 4.2: at least two groups, the longest run, the first of equals. */
function longestZeroRun(groups: readonly number[]): { readonly start: number; readonly length: number } | undefined {
  let best: { start: number; length: number } | undefined;
  let start = 0;
  for (let index = 0; index <= groups.length; index += 1) {
    if (groups[index] === 0) continue;
    const length = index - start;
    if (length >= 2 && length > (best?.length ?? 0)) best = { start, length };
    start = index + 1;
  }
  return best;
}

const PREFIX = /^(?:0|[1-9][0-9]{0,2})$/;

/** `address/prefix`; undefined when either half is wrong or the prefix is missing. Host bits may be set. */
export function parseCidr(text: string): { readonly address: Address; readonly prefixLength: number } | undefined {
  const slash = text.indexOf("/");
  if (slash < 0) return undefined;
  const address = parseAddress(text.slice(0, slash));
  const prefix = text.slice(slash + 1);
  if (address === undefined || !PREFIX.test(prefix)) return undefined;
  const prefixLength = Number(prefix);
  return prefixLength <= addressBits(address.family) ? { address, prefixLength } : undefined;
}

export function formatCidr(cidr: { readonly address: Address; readonly prefixLength: number }): string {
  return `${formatAddress(cidr.address)}/${cidr.prefixLength}`;
}

function hostMask(family: 4 | 6, prefixLength: number): bigint {
  return (1n << BigInt(addressBits(family) - prefixLength)) - 1n;
}

/** The range that an address with its prefix length lies in. */
export function networkOf(address: Address, prefixLength: number): Network {
  const value = address.value & ~hostMask(address.family, prefixLength);
  return { address: { family: address.family, value }, prefixLength };
}

export function lastAddress(network: Network): Address {
  const { family, value } = network.address;
  return { family, value: value | hostMask(family, network.prefixLength) };
}

export function contains(network: Network, address: Address): boolean {
  if (network.address.family !== address.family) return false;
  return networkOf(address, network.prefixLength).address.value === network.address.value;
}

export function networksOverlap(a: Network, b: Network): boolean {
  return a.prefixLength <= b.prefixLength ? contains(a, b.address) : contains(b, a.address);
}

export function sameAddress(a: Address, b: Address): boolean {
  return a.family === b.family && a.value === b.value;
}

interface SpecialRange {
  readonly cidr: string;
  readonly what: string;
}

/** Ranges in which no server's address can lie: RFC 6890 and the IANA special-purpose registries. */
const SPECIAL_RANGES: readonly SpecialRange[] = [
  { cidr: "0.0.0.0/8", what: 'an address of "this network"' },
  { cidr: "127.0.0.0/8", what: "a loopback address" },
  { cidr: "169.254.0.0/16", what: "a link-local address" },
  { cidr: "224.0.0.0/4", what: "a multicast address" },
  { cidr: "240.0.0.0/4", what: "a reserved or broadcast address" },
  { cidr: "::/128", what: "the unspecified address" },
  { cidr: "::1/128", what: "the loopback address" },
  { cidr: "::ffff:0:0/96", what: "an IPv4 address in IPv6 clothing" },
  { cidr: "fe80::/10", what: "a link-local address" },
  { cidr: "ff00::/8", what: "a multicast address" },
];

/** What stands against giving this address to a machine, e.g. "a multicast address"; undefined when nothing does. */
export function specialAddress(address: Address): string | undefined {
  for (const range of SPECIAL_RANGES) {
    const cidr = parseCidr(range.cidr);
    if (cidr !== undefined && contains(networkOf(cidr.address, cidr.prefixLength), address)) return range.what;
  }
  return undefined;
}

/**
 * What stands against giving this address to a machine on a network of this prefix length: its first address
 * (IPv6: the subnet-router anycast address, RFC 4291 section 2.6.1) or, for IPv4, its broadcast address.
 * Point-to-point prefixes (RFC 3021, RFC 6164) and single addresses have neither.
 */
export function networkEdge(address: Address, prefixLength: number): string | undefined {
  if (prefixLength >= addressBits(address.family) - 1) return undefined;
  const network = networkOf(address, prefixLength);
  if (sameAddress(network.address, address)) return "the address of the network itself";
  if (address.family === 4 && sameAddress(lastAddress(network), address)) return "the broadcast address of its network";
  return undefined;
}

/** The network of an address that the validator has already accepted. */
export function networkOfCidrAddress(cidr: CidrAddress): Network | undefined {
  const address = parseAddress(cidr.address);
  return address === undefined ? undefined : networkOf(address, cidr.prefixLength);
}
