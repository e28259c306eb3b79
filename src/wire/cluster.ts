/** What an agent says of the engine, as Pacemaker on its node sees the cluster. */

/** GET /v1/cluster */
export interface ClusterAnswer {
  /** The node that decides; absent while none is chosen. */
  readonly dc?: string | undefined;
  readonly quorum: boolean;
  /** Absent: the cluster does not say. */
  readonly fencingEnabled?: boolean | undefined;
  readonly maintenance: boolean;
  readonly nodes: readonly EngineNode[];
  readonly resources: readonly EngineResource[];
  readonly failures: readonly EngineFailure[];
  /** Newest first. */
  readonly fencings: readonly EngineFencing[];
}

export interface EngineNode {
  readonly name: string;
  readonly online: boolean;
  readonly standby: boolean;
  readonly maintenance: boolean;
  readonly pending: boolean;
  /** Nobody knows what it does: it has to be fenced before anything of it is started elsewhere. */
  readonly unclean: boolean;
}

export interface EngineResource {
  readonly id: string;
  readonly agent: string;
  readonly role: string;
  readonly active: boolean;
  readonly blocked: boolean;
  readonly failed: boolean;
  readonly managed: boolean;
  readonly pending?: string | undefined;
  readonly targetRole?: string | undefined;
  readonly nodes: readonly string[];
}

export interface EngineFailure {
  readonly resource: string;
  readonly task: string;
  readonly node: string;
  readonly reason: string;
  /** As the cluster writes it. */
  readonly when: string;
}

export interface EngineFencing {
  readonly target: string;
  readonly action: string;
  readonly status: "success" | "failed" | "pending";
  readonly by?: string | undefined;
  /** As the cluster writes it; absent while it is under way. */
  readonly completed?: string | undefined;
  readonly reason?: string | undefined;
}

/** GET /v1/fences: what this agent was asked to do by `fence_holdfast`, oldest first; in memory. */
export interface FenceRun {
  readonly victim: string;
  /** Who fenced. */
  readonly node: string;
  /** Wall time of that node's clock, milliseconds since 1970-01-01 UTC. */
  readonly startedAtMs: number;
  readonly durationMs: number;
  readonly outcome: "fenced" | "already" | "failed" | "refused";
  readonly because: readonly string[];
}

/** POST /v1/cluster/move: puts a constraint into the cluster's configuration, which POST /v1/cluster/clear takes out. */
export interface EngineMoveRequest {
  readonly fileserver: string;
  readonly node: string;
}

export interface EngineClearRequest {
  readonly fileserver: string;
}
