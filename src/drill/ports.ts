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
  /** Why a grace of the fileserver lasts, as its node says; none while no grace lasts. */
  graceReasons?(fileserver: string, node: string): Promise<readonly string[]>;
}

/** Faults of whole machines, where the drill runs in a lab. */
export interface MachineFaults {
  /** The plug is pulled. */
  powerOff(machine: string): Promise<void>;
  /** Resolves when it has booted. */
  powerOn(machine: string): Promise<void>;
}

/** Records what crosses the network on which clients reach fileservers. */
export interface Recorder {
  /** One recording at a time. The times in it are those of the World's clock. */
  start(name: string): Promise<Recording>;
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
