/** Settings of the kernel on a director's machine, each with its reason. Pure. */
import type { DirectorSpec } from "../model/director-spec.ts";

export interface KernelSetting {
  /** Below /proc/sys, with slashes, as in `net/ipv4/vs/sloppy_tcp`. */
  readonly key: string;
  readonly value: string;
  readonly because: string;
}

/** In the order in which they are written; the module ip_vs has to be there (net/netfilter/ipvs/ip_vs_ctl.c). */
export function directorSettings(director: DirectorSpec): readonly KernelSetting[] {
  const { expireNodestConn, expireQuiescentTemplate } = director.kernel;
  return [
    {
      key: "net/ipv4/vs/expire_nodest_conn",
      value: flag(expireNodestConn),
      because: expireNodestConn
        ? "connections of a server that was taken out are forgotten; a packet of one then finds no entry and is answered with a reset, where it would be dropped silently until the client gives up"
        : "as the spec says: packets of connections to a server that was taken out are dropped silently",
    },
    {
      key: "net/ipv4/vs/expire_quiescent_template",
      value: flag(expireQuiescentTemplate),
      because: "a client that sticks to a server is let go when that server takes nothing any more",
    },
    {
      key: "net/ipv4/vs/sloppy_tcp",
      value: "0",
      because:
        "a connection begins with a SYN only: a packet from the middle of a lost one must be answered with a reset, not given to the next server",
    },
    {
      key: "net/ipv4/vs/conn_reuse_mode",
      value: "1",
      because: "NFS clients come back from the same port: an entry that is closing makes room for the new connection",
    },
    {
      key: "net/ipv4/vs/conntrack",
      value: "0",
      because:
        "answers do not pass the director, so that connection tracking sees half of everything and would call it invalid",
    },
  ];
}

function flag(value: boolean): string {
  return value ? "1" : "0";
}
