/** Cables and switches fail, each network alone and together, each direction. */
import type { Direction, FaultDocument, FaultVariant, NetworkName, Place, ServedBy } from "./fault-words.ts";

const FAILOVER_MAX_MS = 20_000;
/** A client would not call it an interruption. */
const UNNOTICED_MAX_MS = 1_000;
const CUT_MS = 20_000;
/** Long enough for whatever the cluster decides, fence and takeover included. */
const LONG_CUT_MS = 40_000;

interface Cut {
  readonly name: string;
  readonly at: Place;
  readonly networks: readonly NetworkName[];
  readonly direction?: Direction;
  readonly durationMs: number;
  readonly served: ServedBy;
  readonly returnsWithinMs: number;
}

/** Cut, wait, heal: what must be true holds both before and after the healing. */
function cut({ name, at, networks, direction = "both", durationMs, served, returnsWithinMs }: Cut): FaultVariant {
  return {
    name,
    steps: [
      { do: "cut", at, networks, direction },
      { do: "hold", durationMs },
      { do: "heal" },
      { do: "expect-served", by: served, withinMs: FAILOVER_MAX_MS },
    ],
    holds: { returnsWithinMs },
  };
}

const UNNOTICED = { durationMs: CUT_MS, served: "same", returnsWithinMs: UNNOTICED_MAX_MS } as const;
const DECIDED = { durationMs: LONG_CUT_MS, served: "any", returnsWithinMs: LONG_CUT_MS + 2 * FAILOVER_MAX_MS } as const;

const TWO_LINKS = "two nodes, engine pacemaker, two corosync links (lan and ring)";

export const NETWORK_FAULTS: readonly FaultDocument[] = [
  {
    name: "cluster-link-cut",
    group: "networks",
    summary: "cuts one corosync link, one direction of it, and both links, on either node",
    standsFor: "a cable, a port, a switch, a firewall rule that somebody loaded",
    cluster: TWO_LINKS,
    mustHold:
      "one link of two: nothing; both: the node that serves wins the fencing and clients go on, unless it is the one that is cut off from them too; never two servers",
    load: "locks",
    variants: [
      cut({ name: "ring", at: "serving", networks: ["ring"], ...UNNOTICED }),
      cut({ name: "ring-in-only", at: "serving", networks: ["ring"], direction: "in", ...UNNOTICED }),
      cut({ name: "ring-out-only", at: "standby", networks: ["ring"], direction: "out", ...UNNOTICED }),
      cut({ name: "both-of-standby", at: "standby", networks: ["lan", "ring"], ...UNNOTICED, durationMs: LONG_CUT_MS }),
      cut({ name: "both-of-standby-out-only", at: "standby", networks: ["lan", "ring"], direction: "out", ...DECIDED }),
      cut({ name: "both-of-serving", at: "serving", networks: ["lan", "ring"], ...DECIDED }),
    ],
  },
  {
    name: "storage-cut",
    group: "networks",
    summary: "cuts the storage network of the serving node, of the other one, one direction, and of the storage itself",
    standsFor: "a path to the array that fails, a zoning mistake, an array that restarts",
    cluster: "two nodes, engine pacemaker, iSCSI over the san",
    mustHold:
      "a node without its storage does not go on answering; it is fenced and the other one serves; both without: nobody, and again when the storage is back",
    load: "locks",
    clearsFailures: true,
    variants: [
      {
        name: "serving",
        steps: [
          { do: "cut", at: "serving", networks: ["san"], direction: "both" },
          { do: "expect-served", by: "other", withinMs: 3 * FAILOVER_MAX_MS },
          { do: "heal" },
        ],
        holds: { returnsWithinMs: 4 * FAILOVER_MAX_MS },
      },
      cut({ name: "standby", at: "standby", networks: ["san"], ...UNNOTICED }),
      cut({ name: "serving-in-only", at: "serving", networks: ["san"], direction: "in", ...DECIDED }),
      cut({ name: "storage", at: "storage", networks: ["san"], ...DECIDED, durationMs: CUT_MS }),
    ],
  },
  {
    name: "client-network-cut",
    group: "networks",
    summary: "cuts the network on which the serving node is reached by clients, whole and one direction",
    standsFor: "an access switch that dies, a bond whose both legs hang on it",
    cluster: TWO_LINKS,
    mustHold: "never two servers; clients are served again at the latest when the network is back",
    load: "locks",
    variants: [
      cut({ name: "whole", at: "serving", networks: ["lan"], ...DECIDED }),
      cut({ name: "in-only", at: "serving", networks: ["lan"], direction: "in", ...DECIDED }),
      cut({ name: "out-only", at: "serving", networks: ["lan"], direction: "out", ...DECIDED }),
    ],
  },
  {
    name: "network-cut-off",
    group: "networks",
    summary: "cuts every network of the serving node, or of the other one, at once",
    standsFor: "a top-of-rack switch, a network card's driver",
    cluster: TWO_LINKS,
    mustHold: "the node that can still reach the storage fences the other and serves; never two servers",
    load: "locks",
    clearsFailures: true,
    variants: [
      {
        name: "serving",
        steps: [
          { do: "cut", at: "serving", networks: ["lan", "ring", "san"], direction: "both" },
          { do: "expect-served", by: "other", withinMs: 2 * FAILOVER_MAX_MS },
          { do: "heal" },
        ],
        holds: { returnsWithinMs: 3 * FAILOVER_MAX_MS },
      },
      cut({ name: "standby", at: "standby", networks: ["lan", "ring", "san"], ...UNNOTICED, durationMs: LONG_CUT_MS }),
    ],
  },
];
