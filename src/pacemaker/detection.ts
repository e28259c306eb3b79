/**
 * The named sets of corosync timings, and what each costs. A lost node is declared lost after token and consensus
 * (corosync.conf(5)); only then can it be fenced.
 */
import type { ClusterSpec } from "../model/spec.ts";

export interface DetectionTimings {
  /** Without the token for so long, a node asks the others whether somebody is missing. */
  readonly tokenMs: number;
  /** How often every node's resources are looked at. */
  readonly monitorMs: number;
  /**
   * How long a node that serves less waits before it fences one that serves more, in seconds. The decision LUN makes
   * sure that only one of the two wins; this makes it the one that has the clients. Every takeover from a lost node that
   * served more than its successor waits for it too, so it is no longer than the other needs to be first.
   */
  readonly priorityDelayS: number;
}

/**
 * balanced is what corosync itself has by default. fast is for nodes that are never starved (no live migration, no
 * overcommitted hypervisor): a second without CPU or network costs a node its life.
 */
export const DETECTION: Readonly<Record<ClusterSpec["detection"], DetectionTimings>> = {
  patient: { tokenMs: 10_000, monitorMs: 30_000, priorityDelayS: 2 },
  balanced: { tokenMs: 3_000, monitorMs: 10_000, priorityDelayS: 1 },
  fast: { tokenMs: 1_000, monitorMs: 5_000, priorityDelayS: 1 },
};

/** With three and more nodes less than the token leads to odd changes of membership (corosync.conf(5)). */
const CONSENSUS_OF_TOKEN = 1.2;
/** More than corosync's `join`, 50 ms, is enough for two. So it was for two nodes in cman, too (cluster.conf of RHEL 5 and 6). */
const CONSENSUS_OF_TWO = { ofToken: 0.2, leastMs: 200, mostMs: 2_000 } as const;

/** How long a node that misses the token waits for the others' answers, before it goes on without those that gave none. */
export function consensusMs(profile: ClusterSpec["detection"], nodes: number): number {
  const { tokenMs } = DETECTION[profile];
  if (nodes !== 2) return Math.round(tokenMs * CONSENSUS_OF_TOKEN);
  const { ofToken, leastMs, mostMs } = CONSENSUS_OF_TWO;
  return Math.min(mostMs, Math.max(leastMs, Math.round(tokenMs * ofToken)));
}

/** From the moment a node falls silent to the moment the others know that it is lost, at most. */
export function detectionMs(profile: ClusterSpec["detection"], nodes: number): number {
  return DETECTION[profile].tokenMs + consensusMs(profile, nodes);
}
