/** What runs on a node fails, and what it runs on: disks, clocks, memory, the means of fencing. */
import type { FaultDocument, FaultVariant, InsideDeed } from "./fault-words.ts";

const FAILOVER_MAX_MS = 20_000;
/** Nothing may have been moved, and a client that timed every operation would hardly see it. */
const UNNOTICED_MAX_MS = 1_000;
/** Found by the next monitor, repaired in place or by a move. */
const REPAIR_MAX_MS = 60_000;

const TWO_NODES = "two nodes, engine pacemaker";

function killed(deed: InsideDeed, returnsWithinMs: number): readonly [FaultVariant] {
  return [
    {
      name: "serving",
      steps: [
        { do: "inside", at: "serving", deed },
        { do: "hold", durationMs: 5_000 },
        { do: "expect-daemons", withinMs: REPAIR_MAX_MS },
        { do: "expect-served", by: "any", withinMs: REPAIR_MAX_MS },
      ],
      holds: { returnsWithinMs },
    },
  ];
}

function clock(name: string, at: "serving" | "standby", deed: "clock-forward" | "clock-back"): FaultVariant {
  return {
    name,
    steps: [
      { do: "inside", at, deed },
      { do: "hold", durationMs: 20_000 },
      { do: "undo", deed },
      { do: "expect-served", by: "same", withinMs: FAILOVER_MAX_MS },
    ],
    holds: { returnsWithinMs: UNNOTICED_MAX_MS },
  };
}

export const DAEMON_FAULTS: readonly FaultDocument[] = [
  {
    name: "fence-failure",
    group: "fencing",
    summary: "makes fencing fail on the surviving node, pulls the plug of the serving one, and lets fencing work again",
    standsFor: "a power switch that does not answer, an array that refuses the command, a wrong password",
    cluster: "two nodes, engine pacemaker, fencing by reservation",
    mustHold:
      "no takeover while the other node may be alive; status says why; service resumes by itself once fencing works",
    load: "probes",
    clearsFailures: true,
    variants: [
      {
        name: "agent-fails",
        steps: [
          { do: "inside", at: "standby", deed: "break-fencing" },
          { do: "power-off", at: "serving" },
          { do: "expect-nobody", durationMs: 30_000 },
          { do: "undo", deed: "break-fencing" },
          { do: "expect-served", by: "other", withinMs: 3 * FAILOVER_MAX_MS },
        ],
        holds: { returnsWithinMs: 30_000 + 4 * FAILOVER_MAX_MS },
      },
    ],
  },
  {
    name: "nfsd-killed",
    group: "daemons",
    summary: "stops every thread of the fileserver's NFS server",
    standsFor: "an operator's `systemctl stop nfs-server`, a kernel that lost its threads",
    cluster: TWO_NODES,
    mustHold: "it is noticed and repaired, here or on the other node; no lock and no acknowledged write is lost",
    load: "locks",
    variants: killed("stop-nfsd", REPAIR_MAX_MS),
  },
  {
    name: "mountd-killed",
    group: "daemons",
    summary: "kills the fileserver's rpc.mountd",
    standsFor: "a crash, an out-of-memory kill",
    cluster: TWO_NODES,
    mustHold: "clients that are mounted go on; it is repaired",
    load: "locks",
    variants: killed("kill-mountd", REPAIR_MAX_MS),
  },
  {
    name: "statd-killed",
    group: "daemons",
    summary: "kills the fileserver's rpc.statd",
    standsFor: "a crash, an out-of-memory kill",
    cluster: TWO_NODES,
    mustHold: "its records stay, and the next move loses no NFSv3 lock",
    load: "locks",
    variants: [
      {
        name: "and-a-move",
        steps: [
          { do: "inside", at: "serving", deed: "kill-statd" },
          { do: "hold", durationMs: 5_000 },
          { do: "expect-daemons", withinMs: REPAIR_MAX_MS },
          { do: "expect-served", by: "any", withinMs: REPAIR_MAX_MS },
          { do: "move" },
          { do: "expect-served", by: "any", withinMs: FAILOVER_MAX_MS },
        ],
        holds: { returnsWithinMs: REPAIR_MAX_MS },
      },
    ],
  },
  {
    name: "slow-disk",
    group: "storage",
    summary: "lets the volume's disk take 20 requests a second, then 2",
    standsFor: "an array that rebuilds, a disk that retries, a neighbour that takes everything",
    cluster: TWO_NODES,
    mustHold: "clients wait, nothing fails over by mistake, nothing is lost",
    load: "locks",
    variants: [20, 2].map((iops): FaultVariant => ({
      name: `${iops}-iops`,
      steps: [
        { do: "slow-disk", iops },
        { do: "hold", durationMs: 20_000 },
        { do: "heal" },
        { do: "expect-served", by: iops >= 20 ? "same" : "any", withinMs: REPAIR_MAX_MS },
      ],
      holds: { returnsWithinMs: 30_000 + REPAIR_MAX_MS },
    })) as [FaultVariant, FaultVariant],
  },
  {
    name: "failing-disk",
    group: "storage",
    summary: "lets every write of the volume's disk fail, then heals it",
    standsFor:
      "an array that has lost its redundancy. Applications see EIO, and locks of clients whose writes failed may go: what must not be is a write that was acknowledged and is not there",
    cluster: TWO_NODES,
    mustHold: "no acknowledged write is lost; never two servers; served again once the disk works",
    load: "probes",
    inCampaign: false,
    clearsFailures: true,
    variants: [
      {
        name: "writes",
        steps: [
          { do: "fail-disk", operations: ["write", "flush"] },
          { do: "hold", durationMs: 20_000 },
          { do: "heal" },
          { do: "expect-served", by: "any", withinMs: 2 * REPAIR_MAX_MS },
        ],
        holds: {
          returnsWithinMs: 3 * REPAIR_MAX_MS,
          allowedErrors: ["EIO", "EROFS", "ESTALE"],
          allowedLosses: ["lost-lock"],
        },
      },
    ],
  },
  {
    name: "full-disk",
    group: "storage",
    summary: "fills the volume to the last byte, moves the fileserver, and makes room again",
    standsFor: "somebody's backup in the wrong folder",
    cluster: TWO_NODES,
    mustHold: "applications see ENOSPC and nothing else; the fileserver can be moved all the same; locks survive",
    load: "locks",
    variants: [
      {
        name: "and-a-move",
        steps: [
          { do: "inside", at: "serving", deed: "fill-volume" },
          { do: "hold", durationMs: 5_000 },
          { do: "move" },
          { do: "expect-served", by: "other", withinMs: FAILOVER_MAX_MS },
          { do: "undo", deed: "fill-volume" },
        ],
        holds: { returnsWithinMs: REPAIR_MAX_MS, allowedErrors: ["ENOSPC", "EDQUOT"] },
      },
    ],
  },
  {
    name: "clock-jump",
    group: "daemons",
    summary: "sets the clock of a node an hour forward, or back, and right again",
    standsFor: "a time server gone wrong, a battery, a virtual machine that was restored",
    cluster: TWO_NODES,
    mustHold: "nothing: every bound and every grace is counted by a clock that does not jump",
    load: "locks",
    variants: [
      clock("serving-forward", "serving", "clock-forward"),
      clock("serving-back", "serving", "clock-back"),
      clock("standby-forward", "standby", "clock-forward"),
    ],
  },
  {
    name: "memory-pressure",
    group: "daemons",
    summary: "lets a process take all memory of the serving node, three times, until the kernel kills it",
    standsFor: "a leak, a backup agent",
    cluster: TWO_NODES,
    mustHold: "no failover; clients wait a little",
    load: "locks",
    variants: [
      {
        name: "serving",
        steps: [
          { do: "inside", at: "serving", deed: "press-memory" },
          { do: "expect-served", by: "same", withinMs: FAILOVER_MAX_MS },
        ],
        holds: { returnsWithinMs: FAILOVER_MAX_MS },
      },
    ],
  },
];
