/** What the probe program is told, as one JSON file beside its logs. */
import type { LoopKind } from "../names.ts";

export interface LoopConfig {
  /** Unique in the run; the log is NAME.log. */
  readonly name: string;
  readonly kind: LoopKind;
  /** Folder on the mount. */
  readonly directory: string;
  readonly intervalMs: number;
  readonly client: number;
  /** Of a lock loop: locks that it holds all the time beside the probed one. */
  readonly heldLocks: number;
}

export interface ProbeConfig {
  /** Where the logs go: on the client's own disk. */
  readonly logFolder: string;
  readonly loops: readonly LoopConfig[];
}
