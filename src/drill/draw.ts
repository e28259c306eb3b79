/** Drawings for terminals: a move's timeline as a waterfall, and what the client saw. Pure; width in columns. */
import type { Timeline, TimelineStep } from "../wire/timeline.ts";
import { PROBES } from "./names.ts";
import type { Window } from "./pause.ts";
import type { ProbeLog } from "./samples.ts";

export interface DrawSettings {
  readonly width: number;
  /** Block characters; without it plain ASCII. */
  readonly unicode: boolean;
}

export interface Marks {
  readonly bar: string;
  readonly short: string;
  readonly failed: string;
  readonly dot: string;
  readonly error: string;
}

export function marksOf(settings: DrawSettings): Marks {
  return settings.unicode ? UNICODE : ASCII;
}

const UNICODE: Marks = { bar: "█", short: "▏", failed: "▒", dot: "•", error: "✗" };
const ASCII: Marks = { bar: "#", short: "|", failed: "x", dot: "o", error: "!" };

/** Narrower than this nothing can be told apart; a narrower terminal wraps. */
const CHART_WIDTH_MIN = 10;
const NAME_WIDTH_MAX = 32;

export function terminalSettings(
  columns: number | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): DrawSettings {
  const locale = environment["LC_ALL"] || environment["LC_CTYPE"] || environment["LANG"] || "";
  return { width: Math.min(160, Math.max(50, columns ?? 100)), unicode: /utf-?8/i.test(locale) };
}

export function seconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(2)} s`;
}

function fit(text: string, width: number): string {
  return (text.length > width ? `${text.slice(0, width - 1)}~` : text).padEnd(width);
}

/**
 * One line per step: name, node, bar, length. Steps that were "already" so and those "skipped" are only counted: they
 * took no time and are not news.
 */
export function drawTimeline(timeline: Timeline, settings: DrawSettings): string {
  const marks = marksOf(settings);
  const drawn = timeline.steps.filter(isDrawn);
  const totalMs = Math.max(1, ...timeline.steps.map((step) => step.endMs));
  const nameWidth = Math.min(NAME_WIDTH_MAX, Math.max(4, ...drawn.map((step) => step.step.length)));
  const nodeWidth = Math.max(2, ...drawn.map((step) => step.node.length));
  const lengthWidth = Math.max(6, ...drawn.map((step) => seconds(step.endMs - step.startMs).length));
  const chartWidth = Math.max(CHART_WIDTH_MIN, settings.width - nameWidth - nodeWidth - lengthWidth - 6);
  const lines = [
    `${timeline.kind} of ${timeline.fileserver} to ${timeline.node}: ${timeline.outcome}, ${seconds(totalMs)}`,
  ];
  for (const step of drawn.toSorted((a, b) => a.startMs - b.startMs || a.endMs - b.endMs)) {
    const bar = drawBar(step, totalMs, chartWidth, marks).padEnd(chartWidth);
    const length = seconds(step.endMs - step.startMs).padStart(lengthWidth);
    lines.push(`  ${fit(step.step, nameWidth)} ${step.node.padEnd(nodeWidth)} ${bar}  ${length}`);
  }
  lines.push(`  ${" ".repeat(nameWidth + nodeWidth + 1)} ${axis(0, totalMs, chartWidth)}`);
  lines.push(...undrawnLine(timeline));
  for (const reason of timeline.because ?? []) lines.push(`  because: ${reason}`);
  return lines.map((line) => line.trimEnd()).join("\n");
}

export function isDrawn(step: TimelineStep): boolean {
  return step.outcome === "done" || step.outcome === "failed";
}

/** What `isDrawn` leaves out, counted; no line where there is nothing. */
export function undrawnLine(timeline: Timeline): readonly string[] {
  const undrawn = (["already", "skipped"] as const).flatMap((outcome) => {
    const count = timeline.steps.filter((step) => step.outcome === outcome).length;
    return count === 0 ? [] : [`${count} ${outcome}`];
  });
  return undrawn.length === 0 ? [] : [`  not drawn: ${undrawn.join(", ")}`];
}

function drawBar(step: TimelineStep, totalMs: number, width: number, marks: Marks): string {
  const [start, end] = [(step.startMs / totalMs) * width, (step.endMs / totalMs) * width];
  return barBetween(Math.floor(start), Math.round(end), width, step.outcome === "failed", marks);
}

/** Columns `from` to `to`; what is too short for a column has a mark of its own. */
export function barBetween(from: number, to: number, width: number, failed: boolean, marks: Marks): string {
  const start = Math.max(0, Math.min(width - 1, from));
  const end = Math.min(width, to);
  const mark = failed ? marks.failed : marks.bar;
  return " ".repeat(start) + (end > start ? mark.repeat(end - start) : failed ? mark : marks.short);
}

/** "0 s       1 s       2 s": whole seconds (or tens, or tenths) at their places. */
export function axis(startMs: number, endMs: number, width: number): string {
  const spanMs = endMs - startMs;
  const stepMs = [100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 60_000].find((one) => spanMs / one <= width / 10);
  let line = "";
  for (
    let atMs = Math.ceil(startMs / (stepMs ?? spanMs)) * (stepMs ?? spanMs);
    atMs <= endMs;
    atMs += stepMs ?? spanMs
  ) {
    const column = Math.floor(((atMs - startMs) / spanMs) * width);
    const label = `${Number((atMs / 1000).toFixed(1))} s`;
    if (column + label.length <= width && column >= line.length) line = line.padEnd(column) + label;
  }
  return line;
}

/** How much of the quiet time before and after a window is drawn with it. */
const MARGIN_US = 1_000_000;

/**
 * One line per probe, one column per stretch of time: a dot where it succeeded, an error mark where a call failed,
 * nothing where it waited. Zero is when the move was asked for.
 */
export function drawClient(
  logs: ReadonlyMap<string, ProbeLog>,
  fileserver: string,
  window: Window,
  settings: DrawSettings,
): string {
  const marks = marksOf(settings);
  const names = [...PROBES, "tree"].filter((name) => logs.has(`${fileserver}-${name}`));
  const nameWidth = Math.max(4, ...names.map((name) => name.length));
  const width = Math.max(CHART_WIDTH_MIN, settings.width - nameWidth - 4);
  const startUs = window.startUs - MARGIN_US;
  const spanUs = window.endUs + MARGIN_US - startUs;
  const column = (atUs: number): number => Math.floor(((atUs - startUs) / spanUs) * width);
  const lines = [`what the client of ${fileserver} saw (${marks.dot} one or more successes, ${marks.error} an error)`];
  for (const name of names) {
    const cells = clientCells(logs.get(`${fileserver}-${name}`), width, column, marks);
    lines.push(`  ${name.padEnd(nameWidth)} ${cells}`);
  }
  lines.push(`  ${" ".repeat(nameWidth)} ${axis(-MARGIN_US / 1000, (spanUs - MARGIN_US) / 1000, width)}`);
  return lines.map((line) => line.trimEnd()).join("\n");
}

/** One probe's line; `column` gives the place of a time, outside 0 to `width` where it is not in the picture. */
export function clientCells(
  log: ProbeLog | undefined,
  width: number,
  column: (atUs: number) => number,
  marks: Marks,
): string {
  const cells = Array.from({ length: width }, () => " ");
  for (const one of log?.successes ?? []) if (column(one.endUs) in cells) cells[column(one.endUs)] = marks.dot;
  for (const one of log?.errors ?? []) if (column(one.endUs) in cells) cells[column(one.endUs)] = marks.error;
  return cells.join("");
}
