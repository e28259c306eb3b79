/**
 * A hush: a frame that tells one node, or every other one, to fall silent about an address. Sent before a fence takes
 * that node's keys, so that a node that was frozen hears it before it can answer clients (linux/mute-filter.ts).
 *
 * It is made from what the kernel sends when a link comes up (arp_notify: an ARP request for its own address), because
 * the agent cannot send frames itself. On the way out this filter turns it into something that nobody else learns from:
 *
 * - ARP operation 24, set aside for experiments (RFC 5494): whoever does not know it drops it (arp_process,
 *   net/ipv4/arp.c), so no client learns the address anew.
 * - From the node's own hardware address: no switch learns that the fileserver's is here. And with the fileserver's own it
 *   would not even be heard: a macvlan passes no broadcast to a link whose address the frame says it comes from
 *   (macvlan_multicast_rx, drivers/net/macvlan.c; tried).
 * - Its target names the node that is meant.
 *
 * So a node that is in truth alive, and is not fenced after all, only pauses; it need not win its address back.
 *
 * Chosen by the link's group, as the hold filter is. While the link is in such a group nothing else goes out, and nothing
 * comes in.
 */

import { fingerprint } from "../model/derive.ts";

/** RFC 5494, section 3: OP_EXP1. */
export const HUSH_OPERATION = 24;
/** As target: every node but the sender. */
export const HUSH_EVERYONE = "255.255.255.255";
/** The link's group for a hush that means everyone. */
export const HUSH_EVERYONE_GROUP = 8;
/** And for one that means the n-th other node: this and n. */
const HUSH_GROUPS_FROM = 16;

/** @param index among the other nodes, as the filter was made with them. */
export function hushGroup(index: number): number {
  return HUSH_GROUPS_FROM + index;
}

/** A link in such a group is up for a moment only, and serves nobody. */
export function isHushGroup(group: number | undefined): boolean {
  return group !== undefined && (group === HUSH_EVERYONE_GROUP || group >= HUSH_GROUPS_FROM);
}

/**
 * How a hush names a node: an address that no machine can have (0.0.0.0/8, RFC 1122, section 3.2.1.3), the same on every
 * node.
 *
 * @param key the node's reservation key, "0x" and hexadecimal digits.
 */
export function hushName(key: string): string {
  const low = Number(BigInt(key) & 0xff_ffffn);
  return `0.${low >> 16}.${(low >> 8) & 0xff}.${low & 0xff}`;
}

/**
 * What a hush says that it is about: the fileserver's IPv4 addresses, which the kernel announces when the link comes up.
 * One that has none gets an address on its link for this alone, again one that no machine can have, the same on every node.
 */
export function hushedAs({ name, addresses }: HushedAddresses): readonly string[] {
  const v4 = addresses.filter(({ family }) => family === 4).map(({ address }) => address);
  return v4.length > 0 ? v4 : [hushName(`0x${fingerprint(["hushed as", name])}`)];
}

export interface HushedAddresses {
  readonly name: string;
  readonly addresses: readonly { readonly family: 4 | 6; readonly address: string }[];
}

export function hasV4({ addresses }: HushedAddresses): boolean {
  return addresses.some(({ family }) => family === 4);
}

/**
 * nftables(8) text. The hardware address is set as plain bits: nft would look first what kind of interface the frame came
 * in by, and a frame that goes out has none.
 *
 * @param hardwareAddress of the node's own interface, e.g. "52:54:00:12:34:56".
 * @param otherKeys reservation keys of the other nodes.
 * @param speaksV4 where it does not, an announcement is nothing but a hush, and is dropped otherwise.
 */
export function hushFilterText(hardwareAddress: string, otherKeys: readonly string[], speaksV4 = true): string {
  const targets = [
    [HUSH_EVERYONE_GROUP, HUSH_EVERYONE] as const,
    ...otherKeys.map((key, index) => [hushGroup(index), hushName(key)] as const),
  ];
  const groups = `{ ${targets.map(([group]) => group).join(", ")} }`;
  return `table netdev holdfast_hush {
  chain hush_out {
    type filter hook egress device "eth0" priority filter; policy accept;
${speaksV4 ? "" : `    oifgroup != ${groups} meta protocol arp drop\n`}    oifgroup != ${groups} accept
    meta protocol != arp drop
    arp operation != request drop
    arp operation set ${HUSH_OPERATION}
    @ll,48,48 set 0x${hardwareAddress.replaceAll(":", "")}
${targets.map(([group, name]) => `    oifgroup ${group} arp daddr ip set ${name} accept`).join("\n")}
    drop
  }
  chain hush_in {
    type filter hook ingress device "eth0" priority filter; policy accept;
    iifgroup ${groups} drop
  }
}
`;
}
