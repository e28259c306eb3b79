/** One picture of a move: above what the client saw, below what the nodes did, over the same time. Pure. */
import type { Timeline, TimelineStep } from "../wire/timeline.ts";
import {
  axis,
  barBetween,
  clientCells,
  drawClient,
  drawTimeline,
  isDrawn,
  marksOf,
  seconds,
  undrawnLine,
  type DrawSettings,
} from "./draw.ts";
import { PROBES } from "./names.ts";
import type { Window } from "./pause.ts";
import type { ProbeLog } from "./samples.ts";

export interface MovePicture {
  readonly fileserver: string;
  readonly logs: ReadonlyMap<string, ProbeLog>;
  readonly window: Window;
  readonly timeline: Timeline | undefined;
  /** When the timeline began, on the client's clock; without it the two are drawn apart. */
  readonly timelineZeroUs: number | undefined;
  /** What the client did after the opening, on the timeline's clock: no part of how long the nodes took. */
  readonly wayBack?: readonly TimelineStep[];
}

const MARGIN_US = 500_000;
const LABEL_WIDTH_MAX = 32;

export function drawMove(picture: MovePicture, settings: DrawSettings): string {
  const { fileserver, logs, window, timeline, timelineZeroUs, wayBack = [] } = picture;
  if (timeline === undefined) return drawClient(logs, fileserver, window, settings);
  if (timelineZeroUs === undefined) {
    return `${drawClient(logs, fileserver, window, settings)}\n\n${drawTimeline(timeline, settings)}`;
  }
  const marks = marksOf(settings);
  const totalMs = Math.max(1, ...timeline.steps.map((step) => step.endMs));
  const all = [...timeline.steps, ...wayBack];
  const steps = all.filter(isDrawn).toSorted((a, b) => a.startMs - b.startMs || a.endMs - b.endMs);
  const names = [...PROBES, "tree"].filter((name) => logs.has(`${fileserver}-${name}`));
  const labels = [...names, ...steps.map((step) => `${step.step} ${step.node}`)];
  const labelWidth = Math.min(LABEL_WIDTH_MAX, Math.max(4, ...labels.map((label) => label.length)));
  const width = Math.max(10, settings.width - labelWidth - 12);
  const startUs = timelineZeroUs - MARGIN_US;
  const endUs = Math.max(timelineZeroUs + totalMs * 1000, lastReturnUs(names, picture)) + MARGIN_US;
  const place = (atUs: number): number => Math.floor(((atUs - startUs) / (endUs - startUs)) * width);
  const label = (text: string): string =>
    (text.length > labelWidth ? `${text.slice(0, labelWidth - 1)}~` : text).padEnd(labelWidth);
  const lines = [`what the client saw (${marks.dot} one or more successes, ${marks.error} an error)`];
  for (const name of names) {
    lines.push(`  ${label(name)} ${clientCells(logs.get(`${fileserver}-${name}`), width, place, marks)}`);
  }
  lines.push(`${timeline.kind} of ${fileserver} to ${timeline.node}: ${timeline.outcome}, ${seconds(totalMs)}`);
  for (const step of steps) {
    const [from, to] = [step.startMs, step.endMs].map((atMs) => place(timelineZeroUs + atMs * 1000));
    const bar = barBetween(from ?? 0, to ?? 0, width, step.outcome === "failed", marks).padEnd(width);
    lines.push(`  ${label(`${step.step} ${step.node}`)} ${bar} ${seconds(step.endMs - step.startMs).padStart(7)}`);
  }
  lines.push(`  ${label("")} ${axis(-MARGIN_US / 1000, (endUs - timelineZeroUs) / 1000, width)}`);
  lines.push(...undrawnLine(timeline), ...(timeline.because ?? []).map((reason) => `  because: ${reason}`));
  return lines.map((line) => line.trimEnd()).join("\n");
}

/** The last first-success after the longest gap of each probe that touches the window. */
function lastReturnUs(names: readonly string[], { logs, fileserver, window }: MovePicture): number {
  const returns = names.flatMap((name) => {
    const successes = logs.get(`${fileserver}-${name}`)?.successes ?? [];
    let longest = { gapUs: 0, endUs: 0 };
    for (let at = 1; at < successes.length; at += 1) {
      const [startUs, endUs] = [successes[at - 1]?.endUs ?? 0, successes[at]?.endUs ?? 0];
      if (endUs <= window.startUs || startUs >= window.endUs) continue;
      if (endUs - startUs > longest.gapUs) longest = { gapUs: endUs - startUs, endUs };
    }
    return [longest.endUs];
  });
  return Math.max(0, ...returns);
}
