/**
 * The named sets of corosync timings, and what each costs. A lost node is declared lost after token and consensus
 * (corosync.conf(5)); only then can it be fenced.
 */
import type { ClusterSpec } from "../model/spec.ts";

export interface DetectionTimings {
  /** Without the token for so long, a node asks the others whether somebody is missing. */
  readonly tokenMs: number;
  /** How long it waits for their answers; corosync wants at least 1.2 times the token. */
  readonly consensusMs: number;
  /** How often every node's resources are looked at. */
  readonly monitorMs: number;
  /**
   * How long a node that serves less waits before it fences one that serves more, in seconds. The decision LUN makes
   * sure that only one of the two wins; this makes it the one that has the clients. Every takeover from a lost node that
   * served more than its successor waits for it too, so it is no longer than the other needs to be first.
   */
  readonly priorityDelayS: number;
}

const CONSENSUS_FACTOR = 1.2;

function timings(tokenMs: number, monitorMs: number, priorityDelayS: number): DetectionTimings {
  return { tokenMs, consensusMs: Math.round(tokenMs * CONSENSUS_FACTOR), monitorMs, priorityDelayS };
}

/**
 * balanced is what corosync itself has by default. fast is for nodes that are never starved (no live migration, no
 * overcommitted hypervisor): a second without CPU or network costs a node its life.
 */
export const DETECTION: Readonly<Record<ClusterSpec["detection"], DetectionTimings>> = {
  patient: timings(10_000, 30_000, 2),
  balanced: timings(3_000, 10_000, 1),
  fast: timings(1_000, 5_000, 1),
};

/** From the moment a node falls silent to the moment the others know that it is lost, at most. */
export function detectionMs(profile: ClusterSpec["detection"]): number {
  const { tokenMs, consensusMs } = DETECTION[profile];
  return tokenMs + consensusMs;
}
