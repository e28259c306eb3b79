/** Whole machines fail, freeze, boot, and are asked to move what they serve. */
import type { FaultDocument } from "./fault-words.ts";

/**
 * Real machines. The profile's detection, a fence, a takeover and the client's way back are some five seconds with
 * `detection: balanced`; the bound is what an operator would not call an outage yet. Results tell the real figures.
 */
const FAILOVER_MAX_MS = 20_000;
/** With a boot in it. */
const BOOT_MAX_MS = 180_000;
/** A frozen node is back before or after the cluster has noticed; either way nobody waits longer than for a failover. */
const FREEZE_SLACK_MS = 15_000;

const RECORD_AFTER_THAW_MS = 10_000;

const TWO_NODES = "two nodes, engine pacemaker, fencing by reservation";

function frozenFor(durationMs: number): FaultDocument["variants"][number] {
  return {
    name: `${durationMs / 1000}s`,
    steps: [
      { do: "freeze", at: "serving" },
      { do: "hold", durationMs },
      { do: "thaw", at: "serving" },
      { do: "expect-served", by: "any", withinMs: FAILOVER_MAX_MS },
      // What the thawed node still sends is recorded.
      { do: "hold", durationMs: RECORD_AFTER_THAW_MS },
    ],
    holds: { returnsWithinMs: durationMs + FAILOVER_MAX_MS + FREEZE_SLACK_MS, silentAfterThaw: true },
  };
}

export const MACHINE_FAULTS: readonly FaultDocument[] = [
  {
    name: "power-off",
    group: "machines",
    summary: "pulls the plug of the serving node; the other one must take over by itself",
    standsFor: "a power supply that burns, a blade pulled by mistake, a hypervisor that is gone",
    cluster: TWO_NODES,
    mustHold: "the other node detects it, fences it and takes over; no acknowledged write and no lock is lost",
    load: "probes",
    variants: [
      {
        name: "serving",
        steps: [
          { do: "power-off", at: "serving" },
          { do: "expect-served", by: "other", withinMs: FAILOVER_MAX_MS },
        ],
        holds: { returnsWithinMs: FAILOVER_MAX_MS },
      },
    ],
  },
  {
    name: "kernel-panic",
    group: "machines",
    summary: "panics the serving node's kernel, which then stays dead with its cables plugged in",
    standsFor: "a kernel bug, broken memory, a machine check",
    cluster: TWO_NODES,
    mustHold: "as after a power-off",
    load: "probes",
    variants: [
      {
        name: "serving",
        steps: [
          { do: "panic", at: "serving" },
          { do: "expect-served", by: "other", withinMs: FAILOVER_MAX_MS },
        ],
        holds: { returnsWithinMs: FAILOVER_MAX_MS },
      },
    ],
  },
  {
    name: "freeze-thaw",
    group: "machines",
    summary: "freezes the serving node for 2, 10 and 60 s, then lets it go on as if nothing had been",
    standsFor: "a hypervisor that stalls, live migration, storage firmware that stops a whole machine",
    cluster: TWO_NODES,
    mustHold:
      "if the other node took over, the thawed one writes nothing and sends nothing from the address later than 500 ms after it woke and was fenced, and reboots; no stale read anywhere",
    load: "locks",
    variants: [frozenFor(2_000), frozenFor(10_000), frozenFor(60_000)],
  },
  {
    name: "both-power-off",
    group: "machines",
    summary: "takes the power of both nodes, and gives it back to both at once, or to one long before the other",
    standsFor: "a power cut of the rack",
    cluster: TWO_NODES,
    mustHold: "exactly one server in the end; a node that is alone serves, or says why not, and never two",
    load: "probes",
    variants: [
      {
        name: "back-together",
        steps: [
          { do: "power-off", at: "both" },
          { do: "hold", durationMs: 5_000 },
          { do: "power-on", at: "both" },
          { do: "expect-served", by: "any", withinMs: BOOT_MAX_MS },
        ],
        holds: { returnsWithinMs: BOOT_MAX_MS },
      },
      {
        name: "one-comes-alone",
        steps: [
          { do: "power-off", at: "both" },
          { do: "hold", durationMs: 5_000 },
          { do: "power-on", at: "standby" },
          // With wait_for_all a node that has never seen the other starts nothing: it cannot know what that one does.
          { do: "hold", durationMs: 60_000 },
          { do: "power-on", at: "serving" },
          { do: "expect-served", by: "any", withinMs: BOOT_MAX_MS },
        ],
        holds: { returnsWithinMs: 2 * BOOT_MAX_MS },
      },
    ],
  },
  {
    name: "simultaneous-boot",
    group: "machines",
    summary: "resets both nodes at the same moment: both boot, with the keys of the last boot still on the storage",
    standsFor: "a short dip of the mains, a watchdog on both nodes, an operator's loop over ssh",
    cluster: TWO_NODES,
    mustHold: "exactly one of them serves",
    load: "probes",
    variants: [
      {
        name: "both",
        steps: [
          { do: "reset", at: "both" },
          { do: "expect-served", by: "any", withinMs: BOOT_MAX_MS },
        ],
        holds: { returnsWithinMs: BOOT_MAX_MS },
      },
    ],
  },
  {
    name: "standby",
    group: "moves",
    summary: "drains the serving node for maintenance (`holdfast standby`)",
    standsFor: "an operator who wants to update and reboot a node",
    cluster: TWO_NODES,
    mustHold: "a planned move, and no more than that for clients",
    load: "probes",
    variants: [
      {
        name: "serving",
        steps: [{ do: "standby" }, { do: "expect-served", by: "other", withinMs: FAILOVER_MAX_MS }],
        holds: { returnsWithinMs: FAILOVER_MAX_MS },
      },
    ],
  },
  {
    name: "move-during-move",
    group: "moves",
    summary: "asks for a second move while the first one is under way",
    standsFor: "two operators, or one who presses the key again",
    cluster: TWO_NODES,
    mustHold: "one of the two is done, the other one done after it or refused; one server in the end",
    load: "probes",
    variants: [
      {
        name: "back-at-once",
        steps: [{ do: "move-during-move" }, { do: "expect-served", by: "any", withinMs: FAILOVER_MAX_MS }],
        holds: { returnsWithinMs: FAILOVER_MAX_MS },
      },
    ],
  },
];
