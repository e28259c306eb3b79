/**
 * A filter that lies ready in the fileserver's network namespace and takes effect when its link is put into a group:
 * one write to sysfs where nft would be the start of a program while clients wait.
 *
 * Why requests are held before the server stops: a request that was executed but whose answer is lost is sent again to
 * the next node, which knows nothing of it (the reply cache and the slots of a session are memory, fs/nfsd/nfscache.c).
 * A repeated REMOVE then fails with ENOENT although it was done. So nothing new comes in, what is under way is
 * answered, and only then the link goes down.
 */

/** Link groups are plain numbers (ip-link(8)); 0 is the default that every link starts in. */
export const HOLD_GROUP = 7;
export const OPEN_GROUP = 0;

/** Bytes of an IP packet beyond which it carries more than TCP's acknowledgement: 20 + 60 for IPv4, 60 after IPv6's header. */
const BARE_ACKNOWLEDGEMENT_V4 = 80;
const BARE_ACKNOWLEDGEMENT_V6 = 60;

/** A remote procedure that is let through, by the port of its server. */
export interface LetThrough {
  readonly port: number;
  readonly program: number;
  readonly procedure: number;
}

/**
 * nftables(8) text. While the link is in the group: of everything that comes in only bare acknowledgements of the NFS
 * and lock manager connections pass (the answers need them), and neighbour discovery; nothing goes out that ends or
 * refuses a connection, because a FIN or RST sends clients into seconds of back-off (docs/kernel-nfs.md, section 5).
 *
 * Locks of NFSv3 may still be given back. A client forgets a lock before it says so (nlmclnt_unlock, fs/lockd/clntproc.c):
 * one whose UNLOCK is held is in the release's last entry, and the next node waits for a client to reclaim what that has
 * forgotten.
 */
export function holdFilterText(tcpPorts: readonly number[], unlock: LetThrough): string {
  const ports = `{ ${tcpPorts.join(", ")} }`;
  return `table inet holdfast {
  chain held_in {
    tcp flags syn drop
    meta nfproto ipv4 tcp dport ${ports} ip length <= ${BARE_ACKNOWLEDGEMENT_V4} accept
    meta nfproto ipv6 tcp dport ${ports} ip6 length <= ${BARE_ACKNOWLEDGEMENT_V6} accept
    ${callOf(unlock)} accept
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
    drop
  }
  chain held_out {
    tcp flags & (fin | rst) != 0 drop
    icmp type destination-unreachable drop
    icmpv6 type destination-unreachable drop
  }
  chain input {
    type filter hook input priority filter; policy accept;
    iifgroup ${HOLD_GROUP} jump held_in
  }
  chain output {
    type filter hook output priority filter; policy accept;
    oifgroup ${HOLD_GROUP} jump held_out
  }
}
`;
}

/**
 * In a call over TCP the program is the fifth word of its record and the procedure the seventh (RFC 5531, sections 9 and
 * 11). `@ih` is what follows TCP's header (nftables(8), raw payload expression; Linux 5.16).
 */
function callOf({ port, program, procedure }: LetThrough): string {
  return `tcp dport ${port} @ih,128,32 ${program} @ih,192,32 ${procedure}`;
}
