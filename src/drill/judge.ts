/** From what was measured to a drill's document. Pure. */
import { verdictOf, type DrillDocument, type Pauses } from "./document.ts";
import { explainPause } from "./explain.ts";
import { laterOf, longestOf, pausesOf, type ByProtocol, type Later } from "./judge-pauses.ts";
import { oracleOf } from "./judge-oracles.ts";
import type { Measured, MeasuredRun } from "./measure.ts";
import type { Loss, Protocol, ProtocolMix } from "./names.ts";

export interface Subject {
  readonly scenario: string;
  readonly fileserver: string;
  readonly protocol: ProtocolMix;
  readonly seed: number;
  readonly system: string;
  readonly accelerator: string;
  /** "the move": what was done, as it stands in a sentence. */
  readonly act: string;
  /** More than this, and the run fails; undefined: a pause alone is no failure. */
  readonly limitMs?: number;
  /** A second fileserver whose client must not notice; without a limit only its locks and errors are judged. */
  readonly neighbour?: { readonly fileserver: string; readonly limitMs?: number };
  /** How much later than data the first new open and the first new lock may come. */
  readonly afterReturnLimitsMs?: ByProtocol;
  /** A loss that was caused on purpose. */
  readonly injected?: Loss;
  /** Errors that applications were right to see, by errno: they are no loss. */
  readonly allowedErrors?: readonly string[];
  /** Oracles that this fault may turn red. */
  readonly allowedLosses?: readonly Loss[];
}

/** What a client does not notice: the bound of a neighbour's pause, and of the agent's death. */
export const UNNOTICED_PAUSE_MAX_MS = 300;

export function judge(subject: Subject, measured: Measured): readonly DrillDocument[] {
  return measured.runs.map((run, at) => judgeRun(subject, measured, run, at === measured.runs.length - 1));
}

/** One run of several; what the end showed belongs to the last. */
export function judgeRun(subject: Subject, measured: Measured, run: MeasuredRun, isLast: boolean): DrillDocument {
  const groups = pausesOf(measured, run, subject.fileserver, "window");
  const pauseMs = longestOf(groups);
  const oracle = oracleOf(subject, measured, run, isLast);
  const later = laterOf(groups);
  const neighbour = neighbourOf(subject, measured, run);
  const because: readonly string[] = [
    ...oracle.because,
    ...neighbour.because,
    ...actProblems(subject, run),
    ...overLimit(subject.fileserver, pauseMs, subject.limitMs),
    ...tooLate(later, subject.afterReturnLimitsMs),
    ...run.notReturned.map((name) => `${name} did not come back within the drill's patience`),
    ...(isLast ? measured.problems : []),
    ...groups.flatMap(({ unknown }) => unknown.map((probe) => `the pause of ${probe} could not be measured`)),
  ];
  return {
    scenario: subject.scenario,
    fileserver: subject.fileserver,
    protocol: subject.protocol,
    seed: subject.seed,
    run: run.run,
    from: run.from,
    to: run.to,
    system: subject.system,
    accelerator: subject.accelerator,
    ...(measured.clients.length > 1 ? { clients: measured.clients } : {}),
    pauseMs,
    ...later,
    ...explanationOf(measured, run, groups),
    ...neighbour.fields,
    ...(subject.neighbour === undefined
      ? {}
      : { neighbourLocksHeld: oracle.neighbour.locksHeld, neighbourLocksLost: oracle.neighbour.locksLost }),
    ...(run.graceReasons.length === 0 ? {} : { graceReasons: run.graceReasons }),
    timeline: [...(run.timeline?.steps ?? []), ...(run.wayBack ?? [])],
    oracle: oracle.counts,
    oraclesFailed: oracle.failed,
    ...(subject.injected === undefined ? {} : { injected: subject.injected }),
    verdict: verdictOf(because),
    because,
  };
}

/** Only the first client's clock was compared with the nodes'. */
function explanationOf(
  { clients }: Measured,
  run: MeasuredRun,
  groups: ReturnType<typeof pausesOf>,
): ReturnType<typeof explainPause> {
  if (run.timeline === undefined) return undefined;
  const found = groups.flatMap((group) => (group.client === clients[0] ? [...group.found.values()] : []));
  return explainPause(run.timeline, found, run.timelineZeroUs, run.wayBack);
}

function actProblems(subject: Subject, run: MeasuredRun): readonly string[] {
  if (run.actError !== undefined) return [`${subject.act} failed: ${run.actError}`];
  if (run.timeline === undefined || run.timeline.outcome === "done") return [];
  return [`${subject.act} ended as ${run.timeline.outcome}`, ...(run.timeline.because ?? [])];
}

interface NeighbourVerdict {
  readonly fields: Pick<DrillDocument, "neighbourPauseMs" | "neighbourBaselineMs">;
  readonly because: readonly string[];
}

function neighbourOf(subject: Subject, measured: Measured, run: MeasuredRun): NeighbourVerdict {
  if (subject.neighbour === undefined) return { fields: {}, because: [] };
  const { fileserver, limitMs } = subject.neighbour;
  const during = pausesOf(measured, run, fileserver, "window");
  const neighbourPauseMs = longestOf(during);
  const unknown = during.flatMap((group) => group.unknown);
  return {
    fields: { neighbourPauseMs, neighbourBaselineMs: longestOf(pausesOf(measured, run, fileserver, "quiet")) },
    because: [
      ...unknown.map((probe) => `the pause of ${fileserver}'s ${probe} could not be measured`),
      ...overLimit(fileserver, neighbourPauseMs, limitMs),
    ],
  };
}

function overLimit(fileserver: string, pauses: Pauses, limitMs = Number.POSITIVE_INFINITY): readonly string[] {
  return Object.entries(pauses)
    .filter(([, pauseMs]) => pauseMs > limitMs)
    .map(([probe, pauseMs]) => `${fileserver}'s client waited ${pauseMs} ms in ${probe}, over ${limitMs} ms`);
}

function tooLate(later: Later, limitsMs: ByProtocol = {}): readonly string[] {
  const kinds = [
    ["open", later.newOpenAfterReturnMsByProtocol ?? {}],
    ["lock", later.newLockAfterReturnMsByProtocol ?? {}],
  ] as const;
  return kinds.flatMap(([what, byProtocol]) =>
    (Object.entries(byProtocol) as [Protocol, number][])
      .filter(([protocol, laterMs]) => laterMs > (limitsMs[protocol] ?? Number.POSITIVE_INFINITY))
      .map(
        ([protocol, laterMs]) =>
          `the first new ${what} over ${protocol} came ${laterMs} ms after data, over ${limitsMs[protocol]} ms`,
      ),
  );
}
