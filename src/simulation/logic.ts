/**
 * The decisions that a schedule is driven by: the product's own, none of them copied. They are handed in as a record so
 * that a seeded bug is one field of it that says something else (mutations.ts).
 */
import { afterPreempt, afterRead, beginFence, nextMove } from "../failover/fence.ts";
import { ruleBeforeOpening, type GraceRuling, type Inheritance } from "../failover/grace.ts";
import { isEmpty, judge, type Judgement, type Sighting } from "../failover/judge.ts";
import {
  nextLedger,
  reopenedLedger,
  type Ledger,
  type LedgerInput,
  type ServiceSight,
  type Waiting,
} from "../failover/ledger.ts";
import { step, type Cell, type FileserverEvent, type FileserverState } from "../failover/machine.ts";
import { releaseGraph } from "../failover/release.ts";
import { concludeNode, ruleAddress } from "../failover/standing.ts";
import type { StepGraph } from "../failover/step.ts";
import { takeoverGraph } from "../failover/takeover.ts";
import { coldGraph, warmGraph } from "../failover/warm.ts";
import { watchLook, type WatchNow, type WatchOutcome, type WatchStart, type WatchState } from "../failover/watch.ts";
import type { FileserverSpec } from "../model/spec.ts";

export interface Logic {
  readonly takeoverGraph: (fileserver: FileserverSpec) => StepGraph;
  readonly releaseGraph: (fileserver: FileserverSpec, successorSystemId?: string) => StepGraph;
  readonly warmGraph: (fileserver: FileserverSpec) => StepGraph;
  readonly coldGraph: (fileserver: FileserverSpec) => StepGraph;
  readonly step: (state: FileserverState, event: FileserverEvent) => Cell;
  readonly judge: (seen: Sighting, v3: boolean) => Judgement;
  readonly isEmpty: (seen: Sighting) => boolean;
  readonly ruleBeforeOpening: (inherited: Inheritance) => GraceRuling;
  readonly watchLook: (start: WatchStart, state: WatchState, look: ServiceSight, now: WatchNow) => WatchOutcome;
  readonly nextLedger: (input: LedgerInput) => Ledger;
  readonly reopenedLedger: typeof reopenedLedger;
  readonly concludeNode: typeof concludeNode;
  readonly ruleAddress: typeof ruleAddress;
  readonly beginFence: typeof beginFence;
  readonly nextMove: typeof nextMove;
  readonly afterRead: typeof afterRead;
  readonly afterPreempt: typeof afterPreempt;
  readonly ways: AgentWays;
}

/** What the agent does without a decision of failover/ having been asked; here it can be done wrongly too. */
export interface AgentWays {
  /** A command that ran over its step's bound: a run that follows waits until it has ended. */
  readonly waitsForOverdueCommands: boolean;
  /** What a release takes to be waited for where no watch has looked: not known is not nobody. */
  readonly unwatched: Waiting;
  /** Whom a takeover notifies beside statd's list: clients of the last entry, however it was written. */
  readonly notifiesLedgerClients: "always" | "of-a-final-ledger";
  /** A start that finds its node unregistered waits for the registration; else it fails at once. */
  readonly startWaitsForRegistration: boolean;
  /** The engine runs only on a node that is registered. */
  readonly engineWaitsForRegistration: boolean;
  /** /run/holdfast/registered is believed; else an agent that is started anew registers again. */
  readonly remembersRegistration: boolean;
}

export const REAL_LOGIC: Logic = {
  takeoverGraph,
  releaseGraph,
  warmGraph,
  coldGraph,
  step,
  judge,
  isEmpty,
  ruleBeforeOpening,
  watchLook,
  nextLedger,
  reopenedLedger,
  concludeNode,
  ruleAddress,
  beginFence,
  nextMove,
  afterRead,
  afterPreempt,
  ways: {
    waitsForOverdueCommands: true,
    unwatched: { v3: true, v4: true },
    notifiesLedgerClients: "always",
    startWaitsForRegistration: false,
    engineWaitsForRegistration: true,
    remembersRegistration: true,
  },
};

/** Graphs are made once per fileserver and logic: a campaign would spend its time on making the same ones again. */
export interface Graphs {
  readonly warm: StepGraph;
  readonly cold: StepGraph;
  readonly takeover: StepGraph;
  readonly release: StepGraph;
  /** By the successor's system ID. */
  readonly handOver: ReadonlyMap<string, StepGraph>;
}

export function makeGraphs(logic: Logic, fileserver: FileserverSpec, systemIds: readonly string[]): Graphs {
  return {
    warm: logic.warmGraph(fileserver),
    cold: logic.coldGraph(fileserver),
    takeover: logic.takeoverGraph(fileserver),
    release: logic.releaseGraph(fileserver),
    handOver: new Map(systemIds.map((id) => [id, logic.releaseGraph(fileserver, id)])),
  };
}
