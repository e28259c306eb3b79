/**
 * What a director's service needs and nobody should have to invent: marks, VRRP ids, and the addresses by which
 * directors reach a fileserver's namespace on a node. Pure functions of names; the rules refuse a spec in which two come
 * out the same.
 */
import { formatAddress } from "./address.ts";
import { hash128 } from "./derive.ts";

/** High half "HF"; the whole stays below 2^31, because ipvsadm prints marks with %d. */
const MARK_BASE = 0x4846_0000;

export function serviceMark(cluster: string, service: string): number {
  return MARK_BASE + (1 + Number(hash128(["holdfast mark", cluster, service]) % 0xfffen));
}

/** 1 to 255 (RFC 9568, section 5.2.3). */
export function vrrpRouterId(cluster: string, director: string): number {
  return 1 + Number(hash128(["holdfast vrrp", cluster, director]) % 255n);
}

/**
 * The back addresses of a fileserver on a node: no client ever sees them, no router carries them. IPv4: link-local
 * (RFC 3927), without the two ends that it reserves and without 169.254.169.254, where clouds answer. IPv6: a unique
 * local address (RFC 4193) whose 40 bits are the cluster's.
 */
export function backAddress(family: 4 | 6, cluster: string, fileserver: string, node: string): string {
  const hash = hash128(["holdfast back address", cluster, fileserver, node]);
  if (family === 4) {
    const third = 1n + (hash % 253n);
    const value =
      (169n << 24n) | (254n << 16n) | ((third >= 169n ? third + 1n : third) << 8n) | (1n + ((hash >> 32n) % 254n));
    return formatAddress({ family: 4, value });
  }
  const globalId = hash128(["holdfast back network", cluster]) & 0xff_ffff_ffffn;
  return formatAddress({ family: 6, value: (0xfdn << 120n) | (globalId << 80n) | (hash & 0xffff_ffff_ffff_ffffn) });
}
