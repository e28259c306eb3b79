/** The `directors:` part of the spec after validation: every default filled in. */
import type { FileserverName, NodeName } from "./names.ts";
import type { CidrAddress } from "./spec.ts";

export interface DirectorSpec {
  readonly name: string;
  /** One, or two and more that stand in for each other by VRRP. */
  readonly machines: readonly DirectorMachine[];
  /** Of the machines: towards clients and servers, also for VRRP and the connection sync. */
  readonly interface: string;
  /** VRRP's virtual router, 1 to 255, and the sync daemon's id: unique on the network. */
  readonly vrrpId: number;
  /** A file on directors and nodes with the shared secret, for root only. */
  readonly secret: string;
  readonly ports: {
    /** TCP, on directors: where agents say that something has changed. */
    readonly notices: number;
    /** TCP, on nodes: where agents say what they serve. */
    readonly roles: number;
  };
  readonly kernel: DirectorKernelSpec;
  /** True: clients of a server that was given up have their connections reset at once. */
  readonly resets: boolean;
  readonly services: readonly DirectorServiceSpec[];
}

export interface DirectorMachine {
  readonly name: string;
  /** Without prefix length, on the network of the flows. */
  readonly address: string;
}

/** net.ipv4.vs.* and the timeouts of `ipvsadm --set`. */
export interface DirectorKernelSpec {
  readonly expireNodestConn: boolean;
  readonly expireQuiescentTemplate: boolean;
  readonly tcpTimeoutS: number;
  readonly tcpFinTimeoutS: number;
  readonly udpTimeoutS: number;
}

export interface DirectorServiceSpec {
  readonly name: string;
  /** The packet mark that ties flow and servers together, below 2^31 (ipvsadm prints it signed). */
  readonly mark: number;
  /** Where its packets are seen: every protocol and port of these addresses. */
  readonly flow: { readonly interface: string; readonly addresses: readonly CidrAddress[] };
  /** Who says which server is the right one: the agents of the cluster, or, for servers of their own, the director. */
  readonly decidedBy: "cluster" | "director";
  readonly fileserver?: FileserverName;
  /** Direct return: the packet goes on unchanged in a frame to the server, which answers the client by itself. */
  readonly method: "gateway";
  /** failover: one server at a time; the others spread connections over all that are up (ipvsadm(8)). */
  readonly scheduler: DirectorScheduler;
  /** manual: a server that comes back waits until the one in its place fails. preferred: the heaviest one gets the service back. */
  readonly failback: "manual" | "preferred";
  readonly servers: readonly DirectorServerSpec[];
  /** Serves while no other can: the server of last resort. */
  readonly lastResort?: DirectorServerSpec;
  readonly check: DirectorCheckSpec;
}

export const DIRECTOR_SCHEDULERS = ["failover", "rr", "wrr", "lc", "wlc", "sh", "mh"] as const;
export type DirectorScheduler = (typeof DIRECTOR_SCHEDULERS)[number];

export interface DirectorServerSpec {
  readonly name: string;
  /** At most one per family, without prefix length; the flow has one of each of these families. */
  readonly addresses: readonly string[];
  readonly weight: number;
  /** Where its agent is asked for its role; only where the cluster decides. */
  readonly node?: { readonly name: NodeName; readonly addresses: readonly string[] };
}

export const DIRECTOR_CHECKS = ["role", "rpc", "tcp"] as const;

export interface DirectorCheckSpec {
  /** role: ask the agent, and NFS by RPC. rpc: NFS only. tcp: whether the port opens, which a hung server's does. */
  readonly how: (typeof DIRECTOR_CHECKS)[number];
  /** A server that fails is taken out within it: the next check begins, and all its tries end, before it is over. */
  readonly intervalMs: number;
  /** Of one try. */
  readonly timeoutMs: number;
  /** Tries of one check; all of them together take at most half of the interval. */
  readonly tries: number;
  readonly port: number;
}
