/** What the crowd program is told, and what it tells, as JSON files in its folder. */

export interface CrowdConfig {
  /** The fileserver's IPv4 address: sm-notify reaches clients over the family that it is bound to. */
  readonly host: string;
  /** One client each; all configured on this machine. */
  readonly addresses: readonly string[];
  readonly exportPath: string;
  /** Below the export, there already. */
  readonly directory: string;
  /** Names of lock files begin with it. */
  readonly session: string;
  /** Where status and answers go. */
  readonly folder: string;
  /** Source ports of every client: reserved ones, which mountd, nfsd and lockd ask for unless an export is `insecure`. */
  readonly sourcePorts: readonly [first: number, last: number];
  /** 111 but in tests. */
  readonly serverPortmapPort: number;
  readonly ownPortmapPort: number;
  /** Where each client listens for SM_NOTIFY; its portmapper says so. */
  readonly notifyPort: number;
  /** Between two signs of life of a client's NFS connection. */
  readonly aliveIntervalMs: number;
  /** How many clients take their locks, and give them back, at a time. */
  readonly atOnce: number;
  /** Before a server that did not answer, or was in its grace, is asked again. */
  readonly retryMs: number;
}

export type MemberPhase =
  /** On its way to its first lock. */
  | "starting"
  | "holding"
  /** Notified, and not yet given its lock back. */
  | "reclaiming"
  /** Its reclaim was refused: the lock is lost. */
  | "lost";

export interface MemberStatus {
  readonly address: string;
  readonly phase: MemberPhase;
  /** State numbers of the notifications, each once, in their order. */
  readonly states: readonly number[];
  readonly reclaims: number;
  /** CLOCK_MONOTONIC of this machine, microseconds; 0: never. */
  readonly notifiedUs: number;
  readonly reclaimedUs: number;
  /** The last thing that went wrong, whether or not it was got over. */
  readonly trouble: string;
}

export interface CrowdStatus {
  readonly nowUs: number;
  readonly members: readonly MemberStatus[];
}

/** What a look in the end found, by address: another client asked for each lock. */
export interface CrowdLook {
  /** Held by the one whose it is. */
  readonly held: readonly string[];
  /** Free, or another's. */
  readonly lost: readonly string[];
  /** The server did not say. */
  readonly unknown: readonly string[];
}

/** In the program's folder. The drill makes LOOK_WORD; the program answers with LOOK_FILE. Both are written whole. */
export const STATUS_FILE = "status.json";
export const LOOK_WORD = "look";
export const LOOK_FILE = "look.json";
