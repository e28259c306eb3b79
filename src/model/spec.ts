/**
 * The spec after validation: what the operator wants, with every default filled in. `load.ts` makes it
 * (`loadSpec(text: string, fileName: string): Spec`, throws a Fault of kind "invalid"; `parseSpec` returns the problems
 * as values). Everything in it has passed the strict character checks of `leaf.ts`: it may go into
 * /etc/exports, nfs.conf and argument lists without quoting.
 */
import type { DirectorSpec } from "./director-spec.ts";
import type { FileserverName, NodeName, VolumeName } from "./names.ts";

export interface Spec {
  readonly cluster: ClusterSpec;
  readonly fileservers: readonly FileserverSpec[];
  readonly directors: readonly DirectorSpec[];
}

export type Engine = "pacemaker" | "standalone";

export interface ClusterSpec {
  readonly name: string;
  readonly engine: Engine;
  /** 1 to 16. */
  readonly nodes: readonly NodeSpec[];
  /** Host of a corosync-qnetd third vote. */
  readonly witness?: string;
  readonly fencing: readonly FencingSpec[];
  readonly detection: "patient" | "balanced" | "fast";
  /** How an admin's machine reaches the nodes: an OpenSSH client configuration file. */
  readonly ssh: { readonly config?: string };
  /** A watchdog device that a node's agent pets while it serves; a hung agent then ends in a reboot. */
  readonly watchdog?: string;
}

export interface NodeSpec {
  readonly name: NodeName;
  /** One per cluster link, without prefix length. */
  readonly addresses: readonly string[];
}

export interface FencingSpec {
  /** `scsi`, or a fence agent's name without `fence_`. */
  readonly agent: string;
  /** For all nodes. */
  readonly options: Readonly<Record<string, string>>;
  /** For one node each, by the node's name; together with `options`. */
  readonly nodes?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** A file on the nodes that holds the secrets; never the secrets themselves. */
  readonly secrets?: string;
}

export interface FileserverSpec {
  readonly name: FileserverName;
  /** NSM name, NFSv4 server owner and scope: unique, and the same on every node. */
  readonly hostname: string;
  readonly addresses: readonly CidrAddress[];
  /** At most one per address family, without prefix length. */
  readonly gateways: readonly string[];
  /** Parent interface on the node. */
  readonly interface: string;
  readonly link: "macvlan" | "ipvlan";
  /** Locally administered, lower case; with `link: ipvlan` it is derived all the same but not used. */
  readonly mac: string;
  readonly protocols: readonly Protocol[];
  readonly volumes: readonly VolumeSpec[];
  readonly exports: readonly ExportSpec[];
  readonly placement: PlacementSpec;
  readonly nfs: NfsSpec;
}

export type Protocol = "v3" | "v4";

export interface PlacementSpec {
  readonly prefer?: NodeName;
  readonly failback: Failback;
  /** Fileservers that are to be on other nodes, as far as there are nodes. */
  readonly apart?: readonly FileserverName[];
  /** Fileservers that are to be on the same node, as far as they can. */
  readonly together?: readonly FileserverName[];
}

export type Failback = "manual" | "never" | { readonly afterHealthyForS: number };

export interface NfsSpec {
  readonly threads: number;
  readonly leaseS: number;
  /** Upper bound of the grace after a takeover, v4's and lockd's. */
  readonly graceS: number;
  /** How long a v4 client whose lease has expired is remembered while it still holds something. */
  readonly courtesyS: number;
  readonly allowV40: boolean;
  readonly ports: NfsPorts;
}

export interface NfsPorts {
  readonly mountd: number;
  readonly statd: number;
  readonly lockd: number;
}

export interface CidrAddress {
  readonly family: 4 | 6;
  /** Canonical text: dotted quad, or RFC 5952. */
  readonly address: string;
  readonly prefixLength: number;
}

export interface VolumeSpec {
  readonly name: VolumeName;
  readonly device: VolumeDevice;
  readonly filesystem: "xfs" | "ext4";
  /** What `apply` may make the volume group of where it does not exist: paths below /dev/disk/by-id/. Only with `lv`. */
  readonly disks?: readonly string[];
  /** Where clients see the volume; absolute, normalised. */
  readonly mountPath: string;
}

export type VolumeDevice =
  | { readonly kind: "lv"; readonly vg: string; readonly lv: string }
  | { readonly kind: "disk"; readonly path: string };

export interface ExportSpec {
  /** The volume's mountPath or a folder below it. */
  readonly path: string;
  readonly volume: VolumeName;
  /** UUID, lower case with hyphens; derived and stable unless given. */
  readonly fsid: string;
  readonly clients: readonly ExportClientSpec[];
}

export interface ExportClientSpec {
  /** As exports(5) takes it: address, CIDR, host name, *.domain, @netgroup or *. */
  readonly match: string;
  /** Complete and without contradiction, e.g. ["rw", "sync", "root_squash", "no_subtree_check", "sec=sys"]. No fsid. */
  readonly options: readonly string[];
}
