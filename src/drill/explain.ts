/** How much of the client's pause the move's own timeline accounts for. Pure. */
import type { Timeline, TimelineStep } from "../wire/timeline.ts";

export interface PauseSteps {
  /** The step with which the fileserver stops to answer. */
  readonly silentFrom: string;
  /** The steps after which it answers, and clients have been told; those that the timeline lacks are passed over. */
  readonly openUntil: readonly string[];
}

export const PAUSE_STEPS: PauseSteps = {
  silentFrom: "silence-address",
  openUntil: ["open-address", "tickle-clients"],
};

/** "open-address" is also the name of "open-address:10.77.0.50". */
export function isStep(step: TimelineStep, name: string): boolean {
  return step.step === name || step.step.startsWith(`${name}:`);
}

/** From the beginning of silence to the end of opening, in milliseconds. Undefined when the timeline lacks either. */
export function explainedPauseMs(timeline: Timeline, steps: PauseSteps = PAUSE_STEPS): number | undefined {
  const silent = timeline.steps.filter((step) => isStep(step, steps.silentFrom));
  const open = timeline.steps.filter((step) => steps.openUntil.some((name) => isStep(step, name)));
  if (silent.length === 0 || open.length === 0) return undefined;
  const startMs = Math.min(...silent.map((step) => step.startMs));
  const endMs = Math.max(...open.map((step) => step.endMs));
  return Math.max(0, Math.round(endMs - startMs));
}
