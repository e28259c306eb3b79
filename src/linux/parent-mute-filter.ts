/**
 * The first of the two filters that hear a hush (linux/hush-filter.ts). It lies on the fileserver's parent, in the node's
 * own network namespace: the ingress hook comes before the macvlan is asked (__netif_receive_skb_core, net/core/dev.c),
 * and a macvlan hands broadcasts on by a work queue only (macvlan_broadcast_enqueue, drivers/net/macvlan.c). On a node that
 * was frozen that is too late for answers that were under way: 28 of them left in 120 ms, with errors (seen in the lab).
 * What leaves the namespace passes the parent's egress hook, as a frame that the parent itself sends (macvlan_queue_xmit,
 * ipvlan_xmit_mode_l2: dev_queue_xmit).
 *
 * It hears hushes that name this node, and no others: they are sent before its keys are taken, so before any other hush,
 * and only to the node that is meant. A hush for everyone is heard inside, by a link that is up (linux/mute-filter.ts):
 * the parent of a standby would hear it too, and the standby would be silent when its turn comes a second later. And what
 * this node has sent itself, and a switch has sent back, never names it.
 *
 * What is muted is known by the fileserver's hardware address, which both IP versions are sent from; an ipvlan shares its
 * parent's, and is known by its addresses. The rest of the node's traffic on the parent is not touched.
 */
import { HUSH_OPERATION, hushedAs, hushName, type HushedAddresses } from "./hush-filter.ts";
import { mutedSeconds } from "./mute-filter.ts";

/** Of every fileserver's table; nothing else in the node's namespace is called so. */
export const PARENT_TABLE_PREFIX = "holdfast_mute_";

export interface MutedLink extends HushedAddresses {
  readonly interface: string;
  readonly link: "macvlan" | "ipvlan";
  readonly mac: string;
}

/**
 * nftables(8) text. Loaded again it replaces what is there, in one transaction.
 *
 * The source of what goes out is compared as plain bits: nft would look first what kind of interface the frame came in by,
 * and it came by none. The set's one element is the interface, which is the same both ways.
 *
 * @param ownKey this node's reservation key.
 * @param timeScale how much slower than a real machine the node works.
 */
export function parentMuteFilterText(fileserver: MutedLink, ownKey: string, timeScale: number): string {
  const table = `table netdev ${PARENT_TABLE_PREFIX}${fileserver.name}`;
  const { sender, sent } = fileserver.link === "macvlan" ? byHardwareAddress(fileserver) : byAddresses(fileserver);
  return `${table}
delete ${table}
${table} {
  set muted {
    type ifname
    flags dynamic,timeout
    timeout ${mutedSeconds(timeScale)}s
  }
  chain hushed {
    type filter hook ingress device "${fileserver.interface}" priority filter; policy accept;
    arp operation ${HUSH_OPERATION} arp daddr ip ${hushName(ownKey)} ${sender} update @muted { iifname }
  }
  chain silence {
    type filter hook egress device "${fileserver.interface}" priority filter; policy accept;
${sent.map((match) => `    ${match} oifname @muted drop`).join("\n")}
  }
}
`;
}

/** One argument of nft(8). Does nothing where there is no such table. */
export function removeParentMuteFilter(fileserver: string): string {
  const table = `table netdev ${PARENT_TABLE_PREFIX}${fileserver}`;
  return `add ${table}; delete ${table}`;
}

interface Matches {
  /** Of a hush, who it is about. */
  readonly sender: string;
  /** Of frames that go out, which are the fileserver's. */
  readonly sent: readonly string[];
}

function byHardwareAddress({ mac }: MutedLink): Matches {
  return { sender: `arp saddr ether ${mac}`, sent: [`@ll,48,48 0x${mac.replaceAll(":", "")}`] };
}

function byAddresses(fileserver: MutedLink): Matches {
  const v4 = addressesOf(fileserver, 4);
  const v6 = addressesOf(fileserver, 6);
  return {
    sender: `arp saddr ip ${setOf(hushedAs(fileserver))}`,
    sent: [
      ...(v4.length === 0 ? [] : [`ip saddr ${setOf(v4)}`, `arp saddr ip ${setOf(v4)}`]),
      ...(v6.length === 0 ? [] : [`ip6 saddr ${setOf(v6)}`]),
    ],
  };
}

function addressesOf({ addresses }: MutedLink, wanted: 4 | 6): readonly string[] {
  return addresses.filter(({ family }) => family === wanted).map(({ address }) => address);
}

function setOf(addresses: readonly string[]): string {
  return `{ ${addresses.join(", ")} }`;
}
