/** How much of the client's pause the move's own timeline accounts for. Pure. */
import type { Timeline, TimelineStep } from "../wire/timeline.ts";
import type { Pause } from "./pause.ts";

export interface PauseSteps {
  /** The step with which the fileserver stops to answer, */
  readonly silentFrom: string;
  /** and whether with its beginning or its end. */
  readonly silentAt: "startMs" | "endMs";
  /** The steps after which it answers, and clients have been told; those that the timeline lacks are passed over. */
  readonly openUntil: readonly string[];
}

export const PAUSE_STEPS: PauseSteps = {
  silentFrom: "hold-requests",
  // Before it holds anything it waits for the last look of the ledger's watch.
  silentAt: "endMs",
  openUntil: ["open-address", "tickle-connections"],
};

/** Of the stock cluster (stock-actions.ts): with a port block it is silent and open by that, without by its address. */
const STOCK_STEPS: readonly PauseSteps[] = [
  { silentFrom: "stop PortUnblock", silentAt: "startMs", openUntil: ["start PortUnblock"] },
  { silentFrom: "stop VIP", silentAt: "startMs", openUntil: ["start VIP"] },
];

/** Where the timeline has an end of opening, by whichever system's steps: when that was. */
export function openedMs(timeline: Timeline): number | undefined {
  for (const opening of ["open-address", ...STOCK_STEPS.flatMap(({ openUntil }) => openUntil)]) {
    const steps = timeline.steps.filter((step) => isStep(step, opening));
    if (steps.length > 0) return Math.max(...steps.map((step) => step.endMs));
  }
  return undefined;
}

/** "open-address" is also the name of "open-address:10.77.0.50". */
export function isStep(step: TimelineStep, name: string): boolean {
  return step.step === name || step.step.startsWith(`${name}:`);
}

/** Milliseconds of the timeline. */
export interface Silence {
  readonly startMs: number;
  readonly endMs: number;
}

/** From the beginning of silence to the end of opening. Undefined when the timeline lacks either. */
export function silenceOf(timeline: Pick<Timeline, "steps">): Silence | undefined {
  for (const steps of [PAUSE_STEPS, ...STOCK_STEPS]) {
    const silence = silenceBy(timeline, steps);
    if (silence !== undefined) return silence;
  }
  return undefined;
}

function silenceBy(timeline: Pick<Timeline, "steps">, steps: PauseSteps): Silence | undefined {
  const silent = timeline.steps.filter((step) => isStep(step, steps.silentFrom));
  const open = timeline.steps.filter((step) => steps.openUntil.some((name) => isStep(step, name)));
  if (silent.length === 0 || open.length === 0) return undefined;
  const startMs = Math.min(...silent.map((step) => step[steps.silentAt]));
  return { startMs, endMs: Math.max(startMs, ...open.map((step) => step.endMs)) };
}

/** What the client did after the opening, as a recording of the network shows it (way-back/way-back.ts). */
export const WAY_BACK_STEPS = [
  "client-reconnect",
  "client-session",
  "client-reclaim",
  "client-reclaim-complete",
] as const;

export function isWayBackStep({ step }: TimelineStep): boolean {
  return WAY_BACK_STEPS.some((name) => name === step);
}

export interface Explanation {
  /** How long nobody answered by the timeline, and the client's way back from there where it was recorded. */
  readonly explainedMs: number;
  /** The longest pause less that. */
  readonly unexplainedMs: number;
  /** From the last success of the longest pause's probe to the silence; below 0: it was answered when silence began. */
  readonly beforeSilenceMs?: number;
  /** From the opening to that probe's first success: the client's own way back. */
  readonly afterOpenMs?: number;
  /** The part of `explainedMs` that lies after the opening. */
  readonly wayBackMs?: number;
}

/**
 * @param zeroUs when the timeline began, on the clock of the pauses.
 * @param wayBack the client's steps, each where the one before it ends, on the timeline's clock.
 */
export function explainPause(
  timeline: Timeline,
  pauses: readonly Pause[],
  zeroUs: number | undefined,
  wayBack: readonly TimelineStep[] = [],
): Explanation | undefined {
  const silence = silenceOf(timeline);
  const longest = pauses.toSorted((a, b) => b.pauseMs - a.pauseMs)[0];
  if (silence === undefined || longest === undefined) return undefined;
  // What the client does behind the pause does not explain it.
  const endMs = zeroUs === undefined ? Number.POSITIVE_INFINITY : (longest.gapEndUs - zeroUs) / 1000;
  const backMs = Math.min(endMs, Math.max(silence.endMs, ...wayBack.map((step) => step.endMs)));
  const wayBackMs = Math.round(Math.max(0, backMs - silence.endMs));
  const explainedMs = Math.round(silence.endMs - silence.startMs) + wayBackMs;
  const explanation = {
    explainedMs,
    unexplainedMs: longest.pauseMs - explainedMs,
    ...(wayBack.length === 0 ? {} : { wayBackMs }),
  };
  if (zeroUs === undefined) return explanation;
  return {
    ...explanation,
    beforeSilenceMs: Math.round(silence.startMs - (longest.gapStartUs - zeroUs) / 1000),
    afterOpenMs: Math.round(endMs - silence.endMs),
  };
}
