/** Which fault follows which in a campaign: a pure function of the seed, so that a campaign can be repeated. */
import { seeded } from "../random.ts";
import { FAULTS } from "./catalogue.ts";
import type { FaultCase, FaultDocument } from "./fault-words.ts";

const MOVE_MAX_MS = 20_000;

/** The gentle ones: between two disasters an operator moves things, and programs die. */
const EVERYDAY: readonly FaultDocument[] = [
  {
    name: "planned-move",
    group: "moves",
    summary: "a planned move",
    standsFor: "an operator at work",
    cluster: "two nodes",
    mustHold: "a short pause",
    load: "locks",
    variants: [
      {
        name: "there",
        steps: [{ do: "move" }, { do: "expect-served", by: "other", withinMs: MOVE_MAX_MS }],
        holds: { returnsWithinMs: MOVE_MAX_MS },
      },
    ],
  },
  {
    name: "agent-kill",
    group: "daemons",
    summary: "the serving node's agent dies",
    standsFor: "a bug of ours, an out-of-memory kill",
    cluster: "two nodes",
    mustHold: "nothing moves, and the agent comes back",
    load: "locks",
    variants: [
      {
        name: "serving",
        steps: [
          { do: "inside", at: "serving", deed: "kill-agent" },
          { do: "hold", durationMs: 20_000 },
          { do: "expect-served", by: "same", withinMs: MOVE_MAX_MS },
        ],
        holds: { returnsWithinMs: 1_000 },
      },
    ],
  },
];

export const CAMPAIGN_DOCUMENTS: readonly FaultDocument[] = [...EVERYDAY, ...FAULTS].filter(
  ({ inCampaign }) => inCampaign !== false,
);

/**
 * Without end. One variant of every document in an order drawn from the seed, then the next of every document in another:
 * after three rounds every class has come three times, and every variant of three has come once.
 */
export function* campaignCases(seed: number, documents = CAMPAIGN_DOCUMENTS): Generator<FaultCase, never> {
  const random = seeded(seed);
  for (let round = 0; ; round += 1) {
    const deck = [...documents];
    while (deck.length > 0) {
      const [document] = deck.splice(Math.floor(random() * deck.length), 1);
      if (document === undefined) continue;
      yield { document, variant: document.variants[round % document.variants.length] ?? document.variants[0] };
    }
  }
}
