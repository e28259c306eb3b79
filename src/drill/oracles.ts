/** What must hold whatever happened. Pure; each oracle is tested by handing it a loss that it must see. */
import type { FoundRecord } from "./record.ts";
import type { ProbeLog } from "./samples.ts";

export interface WritesVerdict {
  readonly acknowledged: number;
  /** Sequences acknowledged to the application and not there afterwards, whole and in their place. */
  readonly lost: readonly LostWrite[];
}

export interface LostWrite {
  readonly sequence: number;
  /** `absent`: nothing there. `torn`: checksum wrong. `other`: another record stands in its place (reordered or stale). */
  readonly how: "absent" | "torn" | "other" | "twice";
}

/**
 * Record N stands at slot N of the file. Every acknowledged sequence has to be found whole at its slot, and the
 * acknowledgements themselves have to rise one by one: a gap in the log is a loss of the log, and is told as well.
 */
export function checkWrites(
  acknowledged: readonly number[],
  client: number,
  slot: (sequence: number) => FoundRecord,
): WritesVerdict {
  const lost: LostWrite[] = [];
  let previous = -1;
  for (const sequence of acknowledged) {
    if (sequence <= previous) {
      lost.push({ sequence, how: "twice" });
      continue;
    }
    for (let missing = previous + 1; missing < sequence; missing += 1) lost.push({ sequence: missing, how: "absent" });
    previous = sequence;
    const found = slot(sequence);
    if (found.state !== "whole") lost.push({ sequence, how: found.state });
    else if (found.sequence !== sequence || found.client !== client) lost.push({ sequence, how: "other" });
  }
  return { acknowledged: acknowledged.length, lost };
}

/** Codes that a loop writes when content was wrong; each is an application error, and the first also a stale read. */
export const STALE_CONTENT = "ESTALECONTENT";
export const WRONG_CONTENT = "EWRONGCONTENT";
/** A steal loop got what another client holds. No call failed: it is no application error, but worse. */
export const GRANTED_TWICE = "EGRANTEDTWICE";

export interface ErrorsVerdict {
  readonly errorsSeenByApplications: number;
  readonly staleReads: number;
  /** The first few, as lines for a person. */
  readonly examples: readonly string[];
}

const EXAMPLES_MAX = 5;

/** No system call of the workload fails; it may only wait. Errors whose end lies in (startUs, endUs] count. */
export function checkErrors(
  logs: ReadonlyMap<string, ProbeLog>,
  window: { readonly startUs: number; readonly endUs: number },
): ErrorsVerdict {
  let count = 0;
  let staleReads = 0;
  const examples: string[] = [];
  for (const [name, log] of logs) {
    for (const error of log.errors) {
      if (error.endUs <= window.startUs || error.endUs > window.endUs || error.code === GRANTED_TWICE) continue;
      count += 1;
      if (error.code === STALE_CONTENT) staleReads += 1;
      if (examples.length < EXAMPLES_MAX)
        examples.push(`${name}: ${error.operation} ${error.code} ${error.text}`.trim());
    }
    for (const line of log.strange) {
      count += 1;
      if (examples.length < EXAMPLES_MAX) examples.push(`${name}: unreadable line in its log: ${line}`);
    }
  }
  return { errorsSeenByApplications: count, staleReads, examples };
}

/**
 * The kernel's own words for a lock that did not survive, from the client's log:
 * fs/nfs/nfs4state.c ("Lock reclaim failed!"), fs/lockd/clntproc.c and clntlock.c ("failed to reclaim lock").
 */
const LOST_LOCK = [/[Ll]ock reclaim failed/, /failed to reclaim lock/];

/**
 * From nfs4_do_reclaim (fs/nfs/nfs4state.c), for one pass over one mount's state. What it counts are not locks but pairs
 * of an owner and a file none of whose locks is held after it (no NFS_LOCK_INITIALIZED), and a LOCK that was asked for
 * and not yet answered when the server went away makes such a pair, though nothing was held.
 */
const LOST_LOCK_STATES = /lost (\d+) locks/;

/** @param inFlight so many LOCKs may one mount of the client have been waiting for: of so many in one line nothing is known. */
export function countLostLocks(kernelLog: string, inFlight = 0): number {
  let lost = 0;
  for (const line of kernelLog.split("\n")) {
    const states = LOST_LOCK_STATES.exec(line)?.[1];
    if (states !== undefined) lost += Math.max(0, Number(states) - inFlight);
    else if (LOST_LOCK.some((pattern) => pattern.test(line))) lost += 1;
  }
  return lost;
}
