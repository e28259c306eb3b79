/** What a drill needs of the world. The command line joins these to the lab and to the agent; tests give fakes. */
import type { Timeline } from "../wire/timeline.ts";

export interface ExecOptions {
  /** Given to the program's standard input. */
  readonly input?: string;
  readonly timeoutMs: number;
}

export interface ExecResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Machines {
  /** Runs a program as root on a machine. Resolves with any exit status; rejects with a Fault when it could not be started or overran. */
  exec(machine: string, argv: readonly string[], options: ExecOptions): Promise<ExecResult>;
  /** Copies one local file, making the remote folder when it is missing. */
  copyTo(machine: string, localPath: string, remotePath: string): Promise<void>;
}

export interface Mover {
  /** The node that serves a fileserver now; rejects when none does or when it cannot be known. */
  serving(fileserver: string): Promise<string>;
  /** Planned move; resolves when the target serves, with release and takeover on one time line. */
  move(fileserver: string, node: string): Promise<Timeline>;
  /** By hand, as an administrator does once `fencedNode` is certainly powered off. Absent where the system needs no hand. */
  takeOver?(fileserver: string, node: string, fencedNode: string): Promise<Timeline>;
  /** Resolves when the node's agent answers and the fileserver could be moved to it; rejects when its bound is over. */
  waitWarm?(fileserver: string, node: string): Promise<void>;
  /** The newest takeover of a fileserver that ended well on a node, where the node remembers one. */
  lastTakeover?(fileserver: string, node: string): Promise<Timeline | undefined>;
  /** Why nobody serves it, in the words that an operator is given. */
  whyNotServed?(fileserver: string): Promise<readonly string[]>;
  /** What keeps a node from being a good member of the cluster; empty when nothing does. Rejects where nobody answers. */
  clusterTroubles?(): Promise<readonly string[]>;
  /** Maintenance, as an operator asks for it. Absent where the system has no such thing. */
  standby?(node: string): Promise<void>;
  unstandby?(node: string): Promise<void>;
  /** Why a grace of the fileserver lasts, as its node says; none while no grace lasts. */
  graceReasons?(fileserver: string, node: string): Promise<readonly string[]>;
}

/** Faults of whole machines, where the drill runs in a lab. */
export interface MachineFaults {
  /** The plug is pulled. */
  powerOff(machine: string): Promise<void>;
  /** Resolves when it has booted. */
  powerOn(machine: string): Promise<void>;
  /** All others; absent where the drill may only take power. */
  readonly lab?: LabFaults;
}

/** As the lab's own words (src/lab/fault-words.ts), of which a drill uses these. */
export type MachineFault =
  | { readonly kind: "reset" | "freeze" | "thaw" | "panic"; readonly machine: string }
  | {
      readonly kind: "cut";
      readonly machine: string;
      readonly network: "lan" | "ring" | "san";
      readonly direction: "in" | "out" | "both";
    }
  | { readonly kind: "heal" }
  | { readonly kind: "slow-disk"; readonly disk: string; readonly iops: number }
  | { readonly kind: "fail-disk"; readonly disk: string; readonly operations: readonly ("read" | "write" | "flush")[] };

export interface LabFaults {
  /** Resolves when it has been done. */
  inject(fault: MachineFault): Promise<void>;
  isOn(machine: string): Promise<boolean>;
  /** The machine that has the disks. */
  readonly storage: string;
  /** The disk behind a fileserver's volumes, as the storage calls it. */
  diskOf(fileserver: string): string;
}

/** Records what crosses the network on which clients reach fileservers. */
export interface Recorder {
  /** One recording at a time. The times in it are those of the World's clock. With `from` only what that machine sends. */
  start(name: string, from?: string): Promise<Recording>;
  /** Takes a recording away that nobody will want to see; that it is gone already is no error. */
  remove(path: string): Promise<void>;
}

export interface Recording {
  stop(): Promise<Recorded>;
}

export interface Recorded {
  /** Stays, for a look with other tools. */
  readonly path: string;
  readonly pcap: Uint8Array;
  /** Why frames are missing at its end. */
  readonly endedBecause?: string;
}

export type Progress = (line: string) => void;
