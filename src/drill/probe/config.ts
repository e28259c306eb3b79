/** What the probe program is told, as one JSON file beside its logs. */
import type { LoopKind, Loss } from "../names.ts";

export interface LoopConfig {
  /** Unique in the drill, without spaces; stands before each of its lines in the session's log. */
  readonly name: string;
  readonly kind: LoopKind;
  /** Folder on the mount. */
  readonly directory: string;
  readonly intervalMs: number;
  /** Stands in every record and in the names of new files. */
  readonly client: number;
  /** Of a held loop: its locks. Of a lock loop: locks that it holds all the time beside the probed one. */
  readonly heldLocks: number;
  /** Of a write loop: records of one round, all acknowledged by one fsync; 1 where it is not said. */
  readonly recordsPerRound?: number;
  /**
   * Files that the loop keeps open for writing, whatever else it does. A file that two NFSv4 clients have open cannot be
   * delegated to either (nfs4_set_delegation, fs/nfsd/nfs4state.c), so that the other one's LOCKs really cross the wire.
   */
  readonly keepsOpen?: readonly string[];
  /** Of a steal loop: what others hold. */
  readonly victims?: readonly HeldFile[];
  /** Begins only when the drill gives the word (GO_FILE): all that it needs is there then. */
  readonly waitsForGo?: boolean;
  /** Self-test of the oracles: the loss that this loop causes once the drill gives the word (INJECT_FILE). */
  readonly injects?: Loss;
}

/** Locks of one byte at every second offset, from 0: neighbouring ranges of one owner would be merged into one lock. */
export interface HeldFile {
  readonly file: string;
  readonly locks: number;
}

export interface ProbeConfig {
  /** Where the log goes: on the client's own disk. */
  readonly logFolder: string;
  readonly loops: readonly LoopConfig[];
}

/** In the log folder: what all loops of a session write, and the words that the drill gives by making a file. */
export const LOG_FILE = "probe.log";
export const GO_FILE = "go";
export const INJECT_FILE = "inject";

/** `probe look` reads this from its standard input, … */
export interface LookRequest {
  readonly held: readonly (HeldFile & { readonly loop: string })[];
  readonly counter?: string;
}

/** … and prints this. */
export interface LookAnswer {
  /** By loop: of the locks that it holds, those that another process could have. */
  readonly free: Readonly<Record<string, number>>;
  /** What the counter file says; undefined where it was not asked for or is no whole record. */
  readonly counter?: number;
}
