/**
 * What a fileserver is on this node, and what follows when something happens to it. One total table: a state or an
 * event without its cell does not compile. The table performs nothing; the agent runs the effect it names.
 *
 * INVARIANTS
 * - Only `run-takeover` leads to serving, and it is entered only from warm, where nothing of the volume is there.
 * - Whatever is half done is undone by a full release before anything else is tried.
 */
import { assert } from "../base/assert.ts";

/** States say what is true on this node. */
export const STATES = ["absent", "warming", "warm", "taking-over", "serving", "releasing", "partial"] as const;
export type FileserverState = (typeof STATES)[number];

/** Events: what was asked for, and how a run ended. */
export const EVENTS = ["takeover-asked", "release-asked", "warm-asked", "run-done", "run-failed"] as const;
export type FileserverEvent = (typeof EVENTS)[number];

export type Effect =
  /** Bring up the warm standby. */
  | "run-warm"
  | "run-takeover"
  /** Release, and afterwards warm standby again. */
  | "run-release"
  /** What was asked for is so already. */
  | "answer-done"
  /** A run is under way; the asker may try again. */
  | "refuse-busy"
  /** Half of it is here: release first, then do what was asked. */
  | "run-release-first"
  /** Warm standby first, then do what was asked. */
  | "run-warm-first"
  | "none";

export interface Cell {
  readonly next: FileserverState;
  readonly effect: Effect;
}

type Table = { readonly [S in FileserverState]: { readonly [E in FileserverEvent]: Cell | "impossible" } };

const busy = (next: FileserverState): Cell => ({ next, effect: "refuse-busy" });

export const TABLE: Table = {
  absent: {
    "takeover-asked": { next: "warming", effect: "run-warm-first" },
    "release-asked": { next: "absent", effect: "answer-done" },
    "warm-asked": { next: "warming", effect: "run-warm" },
    "run-done": "impossible",
    "run-failed": "impossible",
  },
  warming: {
    "takeover-asked": busy("warming"),
    "release-asked": busy("warming"),
    "warm-asked": busy("warming"),
    "run-done": { next: "warm", effect: "none" },
    "run-failed": { next: "partial", effect: "none" },
  },
  warm: {
    "takeover-asked": { next: "taking-over", effect: "run-takeover" },
    "release-asked": { next: "warm", effect: "answer-done" },
    "warm-asked": { next: "warm", effect: "answer-done" },
    "run-done": "impossible",
    "run-failed": "impossible",
  },
  "taking-over": {
    "takeover-asked": busy("taking-over"),
    "release-asked": busy("taking-over"),
    "warm-asked": busy("taking-over"),
    "run-done": { next: "serving", effect: "none" },
    // Half a takeover is undone at once: it must not keep the volume from the other node.
    "run-failed": { next: "releasing", effect: "run-release" },
  },
  serving: {
    "takeover-asked": { next: "serving", effect: "answer-done" },
    "release-asked": { next: "releasing", effect: "run-release" },
    "warm-asked": { next: "serving", effect: "answer-done" },
    "run-done": "impossible",
    "run-failed": "impossible",
  },
  releasing: {
    "takeover-asked": busy("releasing"),
    "release-asked": busy("releasing"),
    "warm-asked": busy("releasing"),
    "run-done": { next: "warming", effect: "run-warm" },
    "run-failed": { next: "partial", effect: "none" },
  },
  partial: {
    "takeover-asked": { next: "releasing", effect: "run-release-first" },
    "release-asked": { next: "releasing", effect: "run-release" },
    "warm-asked": { next: "releasing", effect: "run-release-first" },
    "run-done": "impossible",
    "run-failed": "impossible",
  },
};

export function step(state: FileserverState, event: FileserverEvent): Cell {
  const cell = TABLE[state][event];
  assert(cell !== "impossible", `${event} cannot happen while ${state}`);
  return cell;
}
