/** What was found on a node beside Holdfast itself: its system, its storage, its part of the cluster. */

export interface SystemObservation {
  /** From os-release(5), e.g. "debian" and "13"; empty where there is none. */
  readonly os: { readonly id: string; readonly version: string };
  /** The machine's own name, without domain. */
  readonly hostname: string;
  /** Of the packages that were asked for. */
  readonly packages: ReadonlySet<string>;
  /** Text by path, of the files that were asked for and are there. */
  readonly files: ReadonlyMap<string, string>;
  readonly units: ReadonlyMap<string, UnitObservation>;
  readonly program: ProgramObservation;
  /** SHA-256 of /etc/corosync/authkey; undefined where there is none. */
  readonly authkeyDigest: string | undefined;
  /** LVM's name for this machine; undefined where it has none. */
  readonly systemId: string | undefined;
  readonly volumeGroups: ReadonlyMap<string, VolumeGroupObservation>;
  /** By the path or VG/LV that was asked for; not there: not in it. */
  readonly devices: ReadonlyMap<string, DeviceObservation>;
  readonly secrets: ReadonlyMap<string, SecretsObservation>;
  /** Files that machines share whole, by path; absent where nobody asked. */
  readonly sharedSecrets?: ReadonlyMap<string, SharedSecretObservation>;
  /** The number of the last apply that wrote here; 0 before the first. */
  readonly generation: number;
  /** undefined: nobody on the node says. */
  readonly clockSynchronised: boolean | undefined;
  /** How far the node's clock is ahead of the asking machine's; the way there and back counts as error. */
  readonly clockAheadMs: number;
  /** Addresses that the node's resolver gives for the names that were asked for. */
  readonly names: ReadonlyMap<string, readonly string[]>;
  readonly firewall: "none" | "firewalld" | "nftables";
  /** HOLDFAST_TIME_SCALE of the node's agent. */
  readonly timeScale: number;
}

export interface UnitObservation {
  readonly masked: boolean;
  readonly enabled: boolean;
  readonly active: boolean;
}

export type ProgramObservation =
  | { readonly state: "absent" }
  /** Its version is undefined where it did not say. */
  | { readonly state: "present"; readonly version: string | undefined };

export interface VolumeGroupObservation {
  readonly systemId: string;
  readonly autoActivation: boolean;
  readonly logicalVolumes: readonly string[];
}

export interface DeviceObservation {
  /** What blkid(8) finds on it, e.g. "xfs" or "LVM2_member"; "" for nothing; undefined where it could not be read. */
  readonly signature: string | undefined;
  /** Mounted, or held by another device. */
  readonly inUse: boolean;
}

export interface SecretsObservation {
  readonly names: readonly string[];
  /** Nobody but root may read it. */
  readonly private: boolean;
  /** The fence devices have what it says. */
  readonly current: boolean;
}

export interface SharedSecretObservation {
  /** SHA-256 of it. */
  readonly digest: string;
  /** Nobody but root may read it. */
  readonly private: boolean;
}

/** What the cluster itself says, from any of its nodes. */
export interface ClusterObservation {
  readonly quorum: boolean;
  readonly nodes: readonly { readonly name: string; readonly online: boolean; readonly unclean: boolean }[];
  /** Fileservers by name, with the node that each runs on. */
  readonly fileservers: ReadonlyMap<string, string | undefined>;
  /** Fileservers that an operator keeps stopped or out of the cluster's hands. */
  readonly heldBack: ReadonlySet<string>;
}
