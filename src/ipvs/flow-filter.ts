/**
 * nftables(8) text for a director: which packets are whose, and what becomes of those that no server gets.
 *
 * Order of the hooks: `flows` marks a packet before it is routed (priority mangle, -150). The flow's address is the
 * machine's own, so it comes to the input hook, where IPVS takes it at priority 99 (NF_IP_PRI_NAT_SRC - 1, ip_vs_ops in
 * net/netfilter/ipvs/ip_vs_core.c) and sends it to a server. What is still there at 110 has neither a connection nor a
 * server:
 * - from the middle of a TCP connection: the server that had it was taken out. A reset makes the client connect again
 *   at once. The director's own TCP would send one too, unless some program of the machine listens on that port;
 * - anything that wants to begin: dropped. A refusal would be worse than silence: an NFS client that is refused waits
 *   3 s and more before it tries again (docs/kernel-nfs.md, section 5). For the same reason the ICMP messages of IPVS
 *   itself (ip_vs_leave: port unreachable where a service has no server) and of a server that does not answer ARP
 *   (host unreachable) are kept back.
 */
import { defined } from "../base/assert.ts";
import { parseAddress } from "../model/address.ts";
import type { FlowRule } from "../model/director-table.ts";

/** After IPVS, see above. */
const AFTER_IPVS = 110;
const TABLE = "table inet holdfast_director";

/** The whole table, replaced in one transaction. */
export function flowFilterText(rules: readonly FlowRule[]): string {
  return `${TABLE}
delete ${TABLE}
${TABLE} {
  chain flows {
    type filter hook prerouting priority mangle; policy accept;
${lines(rules.flatMap(flowLines))}  }
  chain without_server {
    type filter hook input priority ${AFTER_IPVS}; policy accept;
${lines(rules.flatMap(leftLines))}  }
  chain refusals {
    type filter hook output priority filter; policy accept;
${lines(rules.flatMap(refusalLines))}  }
}
`;
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => `    ${text}\n`).join("");
}

function flowLines(rule: FlowRule): readonly string[] {
  return rule.addresses.flatMap(({ family, address }) => {
    const match = `iifname "${rule.interface}" ${family === 4 ? "ip" : "ip6"} daddr ${address}`;
    // Neighbour discovery goes on while packets wait.
    return [rule.held ? `${match} meta l4proto { tcp, udp } drop` : `${match} meta mark set ${rule.mark}`];
  });
}

function leftLines(rule: FlowRule): readonly string[] {
  const marked = `meta mark ${rule.mark}`;
  return [
    ...(rule.resets ? [`${marked} tcp flags & (syn | rst) == 0 reject with tcp reset`] : []),
    `${marked} meta l4proto { tcp, udp } drop`,
  ];
}

/** Eight bytes of ICMP header, then the packet that it speaks of: its destination is at byte 16 (IPv4) or 24 (IPv6). */
function refusalLines(rule: FlowRule): readonly string[] {
  return rule.addresses.map(({ family, address }) => {
    const { value } = defined(parseAddress(address), "a checked address");
    const digits = value.toString(16).padStart(family === 4 ? 8 : 32, "0");
    return family === 4
      ? `icmp type destination-unreachable @th,192,32 0x${digits} drop`
      : `icmpv6 type destination-unreachable @th,256,128 0x${digits} drop`;
  });
}
