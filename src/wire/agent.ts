/** What the agent says on its socket. */
import type { FaultDocument } from "../base/fault.ts";
import type { FileserverState } from "../failover/machine.ts";
import type { LunStanding } from "../failover/standing.ts";
import type { GraceStatus } from "./clients.ts";
import type { Timeline } from "./timeline.ts";

export interface AgentStatus {
  readonly node: string;
  readonly cluster: string;
  readonly version: string;
  /** Of the spec that the agent works with. */
  readonly specHash: string;
  /** The node's wall clock when it answered, milliseconds since 1970-01-01 UTC. */
  readonly wallMs: number;
  readonly fileservers: readonly FileserverStatus[];
  /** Engine pacemaker: this node's registration on the fileservers' LUNs. */
  readonly standing?: StandingStatus;
}

export interface StandingStatus {
  /** It may serve, and may fence others. */
  readonly good: boolean;
  readonly because: readonly string[];
  readonly luns: readonly LunStanding[];
}

export interface FileserverStatus {
  readonly name: string;
  readonly state: FileserverState | "unknown";
  /** What is missing, or why the state is unknown. */
  readonly because: readonly string[];
  readonly addresses: readonly string[];
  readonly connections: number;
  readonly nfsdThreads: number;
  /** Only while it serves. */
  readonly grace?: GraceStatus;
}

export interface RunAnswer {
  readonly timeline: Timeline;
}

export interface PrepareAnswer {
  /** What the volume groups may be labelled with before the release; absent where they must not be. */
  readonly systemId?: string;
}

export interface ReleaseRequest {
  /** From the successor's PrepareAnswer. */
  readonly successorSystemId?: string;
}

/** To both nodes of a planned move that the engine is about to make. */
export interface HandoverRequest {
  /** From the successor's PrepareAnswer. */
  readonly successorSystemId: string;
}

export interface TakeoverRequest {
  /** The release before has labelled the volume groups for this node. */
  readonly handedOver?: boolean;
  /** A node that the operator knows to be down: its reservation may be taken from it. */
  readonly fencedNode?: string;
}

export interface ErrorAnswer {
  readonly error: FaultDocument;
  /** The run that failed, where there was one. */
  readonly timeline?: Timeline;
}
