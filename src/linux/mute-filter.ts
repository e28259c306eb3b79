/**
 * The second of two filters that hear a hush, in the fileserver's namespace (the first: linux/parent-mute-filter.ts). It
 * silences a fileserver the moment that another machine hushes this node (linux/hush-filter.ts) or announces its address:
 * whoever does so is about to fence this one, or has been told that it is gone. It lies in the kernel's receive path,
 * because a node that was frozen and goes on answers clients before any program of it has run: reads from stale pages, and
 * errors for writes that the storage refuses, which cost clients their locks (seen in the lab).
 *
 * It is no fence and does not last: within its time the agent looks at the node's registrations, and a node that was
 * fenced reboots. A false announcement by anyone on the network silences the fileserver as long as it is repeated; who can
 * do that can take the address from it by the same means.
 */
import { HUSH_EVERYONE, HUSH_OPERATION, hushName } from "./hush-filter.ts";

/**
 * Several of the agent's looks, also where it is slow: in the lab, after 60 s of standstill, an emulated node needed 6 s
 * to find its key gone and reboot.
 */
const MUTED_S = 5;

export function mutedSeconds(timeScale: number): number {
  return Math.ceil(MUTED_S * timeScale);
}

/**
 * nftables(8) text; empty where nobody is hushed. Egress hooks: Linux 5.16 and later.
 *
 * A link does not hear its own announcements, unless the network sends them back, as bonds and some virtual switches do:
 * they come from the node's own hardware address, and are passed over. (A macvlan's plain announcement comes from its own,
 * and it does not hear that one.)
 *
 * @param addresses as announced by ARP (hushedAs). A plain announcement is heard only where the link has another hardware
 *   address than the one that comes (ipvlan); a hush is heard everywhere.
 * @param hardwareAddress of the node's own interface.
 * @param ownKey this node's reservation key: hushes that mean other nodes are passed over.
 * @param timeScale how much slower than a real machine the node works.
 */
export function muteFilterText(
  addresses: readonly string[],
  hardwareAddress: string,
  ownKey: string,
  timeScale: number,
): string {
  if (addresses.length === 0) return "";
  const meant = `{ ${HUSH_EVERYONE}, ${hushName(ownKey)} }`;
  return `table netdev holdfast_mute {
  set muted {
    type mark
    flags dynamic,timeout
    timeout ${mutedSeconds(timeScale)}s
  }
  chain announced {
    type filter hook ingress device "eth0" priority filter; policy accept;
    ether saddr ${hardwareAddress} accept
    arp operation ${HUSH_OPERATION} arp daddr ip != ${meant} accept
    arp saddr ip { ${addresses.join(", ")} } update @muted { meta mark }
  }
  chain silence {
    type filter hook egress device "eth0" priority filter; policy accept;
    meta mark @muted drop
  }
}
`;
}
