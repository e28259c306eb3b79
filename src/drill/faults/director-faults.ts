/** What happens behind directors, and to them. Clients mount the address that the directors have. */
import type { FaultDocument } from "./fault-words.ts";

const BEHIND = "two nodes, engine pacemaker, the fileserver behind two directors";

/** A planned move is built to stay under 2 s; behind a director it may take 300 ms longer. */
const MOVE_MAX_MS = 2_300;
/** As the fault `power-off`, and 1 s more. */
const FAILOVER_MAX_MS = 20_000;
const FAILOVER_BEHIND_MAX_MS = FAILOVER_MAX_MS + 1_000;
/** VRRP's time, about 0.9 s (three advertisements of 250 ms, and the skew), and 1 s. */
const DIRECTOR_LOSS_MAX_MS = 2_000;
/** One check of the directors, and what they need after a boot. */
const DIRECTORS_AGREE_MAX_MS = 10_000;
const DIRECTORS_BOOT_MAX_MS = 60_000;
/** What clients do through the director that is left. */
const WORK_MS = 10_000;

const losing = (name: string): FaultDocument["variants"][number] => ({
  name,
  steps: [
    { do: "power-off", at: "director" },
    { do: "hold", durationMs: WORK_MS },
    { do: "expect-served", by: "same", withinMs: DIRECTORS_AGREE_MAX_MS },
    { do: "power-on", at: "director" },
    { do: "expect-directors", withinMs: DIRECTORS_BOOT_MAX_MS },
  ],
  holds: { returnsWithinMs: DIRECTOR_LOSS_MAX_MS },
});

export const DIRECTOR_FAULTS: readonly FaultDocument[] = [
  {
    name: "director-move",
    group: "directors",
    summary: "moves a fileserver behind two directors",
    standsFor: "an operator's planned move, at a site with load balancers",
    cluster: BEHIND,
    mustHold: "a planned move, at most 300 ms longer than without directors; both send packets to the new node at once",
    load: "probes",
    inCampaign: false,
    needsDirectors: true,
    variants: [
      {
        name: "planned",
        steps: [
          { do: "move" },
          { do: "expect-served", by: "other", withinMs: FAILOVER_MAX_MS },
          { do: "expect-directors", withinMs: DIRECTORS_AGREE_MAX_MS },
        ],
        holds: { returnsWithinMs: MOVE_MAX_MS },
      },
    ],
  },
  {
    name: "director-power-off",
    group: "directors",
    summary: "pulls the plug of the serving node behind two directors",
    standsFor: "a server that dies behind a load balancer: its clients used to hang for a quarter of an hour",
    cluster: BEHIND,
    mustHold: "as after a power-off, and no client waits more than 1 s longer: its connection is reset",
    load: "locks",
    inCampaign: false,
    needsDirectors: true,
    variants: [
      {
        name: "serving",
        steps: [
          { do: "power-off", at: "serving" },
          { do: "expect-served", by: "other", withinMs: FAILOVER_MAX_MS },
          { do: "expect-directors", withinMs: DIRECTORS_AGREE_MAX_MS },
        ],
        holds: { returnsWithinMs: FAILOVER_BEHIND_MAX_MS },
      },
    ],
  },
  {
    name: "director-loss",
    group: "directors",
    summary:
      "pulls the plug of the director that has the address; the other one must go on, and then the other way round",
    standsFor: "a load balancer that dies",
    cluster: BEHIND,
    mustHold: "the other director has the address within VRRP's time; the fileserver stays where it is",
    load: "probes",
    inCampaign: false,
    needsDirectors: true,
    variants: [losing("one"), losing("the-other-one")],
  },
];
