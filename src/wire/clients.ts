/** What the agent that serves a fileserver says of its clients. */

/** GET /v1/fileservers/NAME/clients */
export interface ClientsAnswer {
  readonly fileserver: string;
  readonly node: string;
  readonly grace: GraceStatus;
  readonly clients: readonly ClientStatus[];
  /** NLM locks on the volumes; the kernel does not say whose each is. */
  readonly v3Locks: number;
}

export interface ClientStatus {
  /** As the server sees it. */
  readonly address: string;
  /** v4: from the client's owner string; v3: the name that statd monitors; "" where unknown. */
  readonly name: string;
  readonly protocol: "v3" | "v4.0" | "v4.1" | "v4.2";
  /** v4: silent is a courtesy client, whose lease has run out; v3: connected or not. */
  readonly state: "active" | "silent" | "gone";
  /** v4 only. */
  readonly opens: number | undefined;
  /** Undefined: the kernel does not say (v3 with more than one holder of locks). v4: owners and files, not ranges. */
  readonly locks: number | undefined;
  readonly delegations: number | undefined;
  /** When the ledger first saw it; wall clock of the node, milliseconds since 1970-01-01 UTC. */
  readonly sinceMs: number;
  /** While a grace lasts. */
  readonly reclaim?: {
    readonly state: "waiting" | "reclaiming" | "done";
    /** E.g. "notified 3 s ago, has not reconnected". */
    readonly because: string;
  };
}

export interface GraceStatus {
  readonly v4: GracePart;
  readonly v3: GracePart;
}

export interface GracePart {
  readonly lasts: boolean;
  /** One line for each reason why it lasts, or why it ended. */
  readonly because: readonly string[];
  /** Seconds until the spec's bound, while it lasts. */
  readonly endsWithinS?: number;
}
