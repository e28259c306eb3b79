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
}

export type Progress = (line: string) => void;
