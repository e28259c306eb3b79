/** A drill's JSON: field names are a contract with checks outside this repository, so they are only ever added to. */
import type { TimelineStep } from "../wire/timeline.ts";
import type { CrowdFacts } from "./crowd/judge-crowd.ts";
import type { FaultFacts } from "./faults/judge-fault.ts";
import type { Phases } from "./faults/phases.ts";
import type { ByProtocol } from "./judge-pauses.ts";
import { PROBES, type Loss, type Probe, type ProtocolMix } from "./names.ts";
import { quantile } from "./pause.ts";
import type { WireFacts } from "./wire-check/judge-wire.ts";

export type Pauses = Readonly<Partial<Record<Probe, number>>>;

export interface OracleCounts {
  readonly acknowledgedWrites: number;
  /** Absent, torn, or in another one's place; values that a counter under a lock has lost are in it too. */
  readonly lostWrites: number;
  /** Those of them that are there in part. */
  readonly tornWrites: number;
  /** When the fault struck, by the reports of those who hold them. */
  readonly locksHeld: number;
  /** By the clients' kernels, by EIO to their holders, and by what another could have had in the end. */
  readonly locksLost: number;
  /** Locks that a second client got while the first held them, and values that a counter under a lock took twice. */
  readonly grantedTwice: number;
  readonly staleReads: number;
  readonly errorsSeenByApplications: number;
}

export interface DrillDocument {
  readonly scenario: string;
  readonly fileserver: string;
  /** "all": mounts over each protocol at the same time. */
  readonly protocol: ProtocolMix;
  readonly seed: number;
  /** From 1. */
  readonly run: number;
  readonly from: string;
  readonly to: string;
  readonly system: string;
  readonly accelerator: string;
  /** Where there are several; the first is the one that timed. */
  readonly clients?: readonly string[];
  /** Where a probe did not come back: how long it had waited when the drill gave up; `because` says so. */
  readonly pauseMs: Pauses;
  readonly newOpenAfterReturnMs?: number;
  readonly newLockAfterReturnMs?: number;
  readonly newOpenAfterReturnMsByProtocol?: ByProtocol;
  readonly newLockAfterReturnMsByProtocol?: ByProtocol;
  /** The pause taken apart: see Explanation. */
  readonly explainedMs?: number;
  readonly unexplainedMs?: number;
  readonly beforeSilenceMs?: number;
  readonly afterOpenMs?: number;
  readonly wayBackMs?: number;
  /** Where there is a neighbour: the longest pause of the other fileserver's client while this one moved, and as long without a move. */
  readonly neighbourPauseMs?: Pauses;
  readonly neighbourBaselineMs?: Pauses;
  readonly neighbourLocksHeld?: number;
  readonly neighbourLocksLost?: number;
  /** What the serving node said of its grace while it lasted. */
  readonly graceReasons?: readonly string[];
  /** Of faults: which, in what form, and what was seen of the servers while it lasted. */
  readonly fault?: FaultFacts;
  /** Of a failover: what the longest pause was made of. */
  readonly phases?: Phases;
  /** `crowd` only: what its hundred clients kept over the stop. */
  readonly crowd?: CrowdFacts;
  /** `wire-check` only: what the clients' network showed. */
  readonly wire?: WireFacts;
  readonly timeline: readonly TimelineStep[];
  readonly oracle: OracleCounts;
  /** Names of the oracles that found a loss. */
  readonly oraclesFailed: readonly Loss[];
  /** The loss that was caused on purpose, to see an oracle find it (`--inject`). */
  readonly injected?: Loss;
  readonly verdict: Verdict;
  readonly because: readonly string[];
}

export type Verdict = "pass" | "fail";

export interface ProbeSummary {
  readonly medianMs: number;
  readonly p90Ms: number;
  readonly maxMs: number;
}

export type Summary = Readonly<Partial<Record<Probe, ProbeSummary>>>;

export interface DrillReport {
  readonly runs: readonly DrillDocument[];
  readonly summary: Summary;
  readonly summaryByProtocol: Readonly<Partial<Record<ProtocolMix, Summary>>>;
  readonly verdict: Verdict;
}

export function verdictOf(because: readonly string[]): Verdict {
  return because.length === 0 ? "pass" : "fail";
}

export function reportOf(runs: readonly DrillDocument[]): DrillReport {
  const protocols = [...new Set(runs.map((run) => run.protocol))];
  const byProtocol = protocols.map((one) => [one, summaryOf(runs.filter((run) => run.protocol === one))] as const);
  return {
    runs,
    summary: summaryOf(runs),
    summaryByProtocol: Object.fromEntries(byProtocol),
    // No run is no proof.
    verdict: runs.length > 0 && runs.every((run) => run.verdict === "pass") ? "pass" : "fail",
  };
}

export function summaryOf(runs: readonly DrillDocument[], pauses = (run: DrillDocument) => run.pauseMs): Summary {
  const summary: Partial<Record<Probe, ProbeSummary>> = {};
  for (const probe of PROBES) {
    const values = runs.flatMap((run) => pauses(run)[probe] ?? []);
    const [medianMs, p90Ms, maxMs] = [quantile(values, 0.5), quantile(values, 0.9), quantile(values, 1)];
    if (medianMs !== undefined && p90Ms !== undefined && maxMs !== undefined) {
      summary[probe] = { medianMs, p90Ms, maxMs };
    }
  }
  return summary;
}
