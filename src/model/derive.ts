/**
 * Values that the spec leaves out and that must be the same on every node and in every release: export fsids, MAC
 * addresses, reservation keys, the spec's generation. Pure functions of names. A changed result here means stale file
 * handles on every client, so golden values in the test hold each of them.
 */
import { assert } from "../base/assert.ts";
import type { Spec } from "./spec.ts";

const MASK_128 = (1n << 128n) - 1n;
const MASK_64 = (1n << 64n) - 1n;
/** FNV-1a, 128 bits: offset basis and prime of draft-eastlake-fnv section 5. */
const FNV_OFFSET = 0x6c62272e07bb014262b821756295c58dn;
const FNV_PRIME = 0x0000000001000000000000000000013bn;

/**
 * Names for values, not secrets: FNV-1a over the parts, each followed by a byte that no part contains, and then mixed
 * so that names which differ in one character differ in every part of the result.
 */
export function hash128(parts: readonly string[]): bigint {
  let hash = FNV_OFFSET;
  for (const part of parts) {
    for (let index = 0; index < part.length; index += 1) {
      const code = part.charCodeAt(index);
      hash = ((hash ^ BigInt(code >> 8)) * FNV_PRIME) & MASK_128;
      hash = ((hash ^ BigInt(code & 0xff)) * FNV_PRIME) & MASK_128;
    }
    hash = ((hash ^ 0x1ffn) * FNV_PRIME) & MASK_128;
  }
  const low = mix64(hash & MASK_64);
  const high = mix64((hash >> 64n) ^ low);
  return (high << 64n) | low;
}

/** The finaliser of MurmurHash3 (public domain, Austin Appleby). */
function mix64(value: bigint): bigint {
  let mixed = value ^ (value >> 33n);
  mixed = (mixed * 0xff51afd7ed558ccdn) & MASK_64;
  mixed ^= mixed >> 33n;
  mixed = (mixed * 0xc4ceb9fe1a85ec53n) & MASK_64;
  return mixed ^ (mixed >> 33n);
}

function hex(value: bigint, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}

/** A UUID of version 8 (RFC 9562 section 5.8: custom content), lower case with hyphens. */
export function exportFsid(cluster: string, fileserver: string, path: string): string {
  const hash = hash128(["holdfast fsid", cluster, fileserver, path]);
  const versioned = (hash & ~(0xfn << 76n)) | (0x8n << 76n);
  const text = hex((versioned & ~(0x3n << 62n)) | (0x2n << 62n), 32);
  return [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)].join("-");
}

/** A locally administered unicast MAC address, `02:` and 40 bits. */
export function fileserverMac(cluster: string, fileserver: string): string {
  const text = hex(hash128(["holdfast mac", cluster, fileserver]) & 0xffffffffffn, 10);
  const octets = Array.from({ length: 5 }, (_, index) => text.slice(2 * index, 2 * index + 2));
  return ["02", ...octets].join(":");
}

/** A node's SCSI-3 persistent reservation key: 16 hexadecimal digits, never all zero (SPC-4: zero means "no key"). */
export function reservationKey(cluster: string, node: string): string {
  const hash = hash128(["holdfast reservation", cluster, node]);
  const low = hash & MASK_64;
  const key = low === 0n ? hash >> 64n : low;
  return hex(key === 0n ? 1n : key, 16);
}

/**
 * The spec's generation: 32 hexadecimal digits; the same for specs that mean the same, however they are written.
 * How an admin's machine reaches the nodes is left out: it means nothing on a node, and differs between admins.
 */
export function specHash(spec: Spec): string {
  const meaning: Spec = { ...spec, cluster: { ...spec.cluster, ssh: {} } };
  return hex(hash128(["holdfast spec", canonicalJson(meaning)]), 32);
}

/** Of any value that JSON can hold: the same for the same content, whatever the order of keys. */
export function fingerprint(value: unknown): string {
  return hex(hash128(["holdfast value", canonicalJson(value)]), 32);
}

/** JSON with sorted keys and without undefined members. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
    return `{${members.join(",")}}`;
  }
  const text = JSON.stringify(value);
  assert(text !== undefined, "only JSON values have a canonical form");
  return text;
}
