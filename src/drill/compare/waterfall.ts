/** What the nodes did, one bar for each step, all systems on one axis. Pure. */
import type { DrillDocument } from "../document.ts";
import { isWayBackStep, silenceOf } from "../explain.ts";
import { OURS, typicalRun, type Comparison } from "./comparison.ts";
import { axisLabel, axisTimes, duration, line, picture, rect, text, toneOf, type Picture } from "./svg.ts";
import { faultName, protocolName } from "./words.ts";

const WIDTH = 900;
const LEFT = 250;
const RIGHT = 70;
const TOP = 10;
const ROW = 18;
const BAR = 11;
const HEADING = 30;
const BOTTOM = 34;
/** Of the steps of one system only the longest are drawn. */
const STEPS_MAX = 14;
const LABEL_LENGTH_MAX = 34;

export interface Bar {
  readonly label: string;
  readonly startMs: number;
  readonly endMs: number;
  /** Nobody works: the cluster waits, or the client does. */
  readonly waits: boolean;
}

/** A document's steps in their order, with the waiting before and after them; zero is where its first bar begins. */
export function barsOf({ timeline, phases, afterOpenMs }: DrillDocument): readonly Bar[] {
  const before: Bar[] = [];
  const wait = (label: string, startMs: number, endMs: number): Bar => ({ label, startMs, endMs, waits: true });
  let zeroMs = 0;
  if (phases !== undefined) {
    const { beforeTakeoverMs, detectMs, fenceMs } = phases;
    zeroMs = beforeTakeoverMs;
    if (detectMs === undefined) before.push(wait("until the takeover begins", 0, zeroMs));
    else {
      const fencedMs = detectMs + (fenceMs ?? 0);
      before.push(wait("until it is noticed", 0, detectMs));
      if (fenceMs !== undefined) before.push(wait("until the other is fenced", detectMs, fencedMs));
      before.push(wait("until the takeover begins", fencedMs, zeroMs));
    }
  }
  const longest = timeline
    .filter((step) => step.endMs > step.startMs && step.outcome !== "skipped")
    .toSorted((a, b) => b.endMs - b.startMs - (a.endMs - a.startMs))
    .slice(0, STEPS_MAX);
  const steps = longest
    .toSorted((a, b) => a.startMs - b.startMs || a.endMs - b.endMs)
    .map(({ step, node, startMs, endMs }) => ({
      label: `${step} (${node})`,
      startMs: zeroMs + startMs,
      endMs: zeroMs + endMs,
      waits: false,
    }));
  const silence = silenceOf({ steps: timeline });
  const openMs = phases === undefined ? silence?.endMs : zeroMs + phases.takeoverMs;
  const clientMs = phases?.clientMs ?? afterOpenMs ?? 0;
  const backMs = (openMs ?? 0) + clientMs;
  // Where the client's steps are known, only what is left of its time.
  const fromMs = Math.max(openMs ?? 0, ...timeline.filter(isWayBackStep).map((step) => zeroMs + step.endMs));
  const after = openMs === undefined || fromMs >= backMs ? [] : [wait("until the client is back", fromMs, backMs)];
  return [...before, ...steps, ...after];
}

/** Of each system the run with the median pause; undefined where none left a timeline. */
export function drawWaterfall(comparison: Comparison, scenario: string, protocol: string): Picture | undefined {
  const panels = comparison.systems.flatMap((system) => {
    const own = comparison.runs.filter(
      (run) =>
        run.system === system &&
        run.scenario === scenario &&
        run.protocol === protocol &&
        run.document.timeline.length > 0,
    );
    const run = typicalRun(own);
    return run === undefined ? [] : [{ system, bars: barsOf(run.document) }];
  });
  if (panels.length === 0) return undefined;
  const endMs = Math.max(100, ...panels.flatMap(({ bars }) => bars.map((bar) => bar.endMs))) * 1.02;
  const place = (ms: number): number => LEFT + (Math.max(0, ms) / endMs) * (WIDTH - LEFT - RIGHT);
  const bottom = TOP + panels.reduce((sum, { bars }) => sum + HEADING + bars.length * ROW + 10, 0);
  const body: string[] = [];
  for (const ms of axisTimes(0, endMs, 10)) {
    body.push(
      line(place(ms), TOP, place(ms), bottom, "grid"),
      text(place(ms), bottom + 18, axisLabel(ms), "soft small", "middle"),
    );
  }
  let y = TOP;
  for (const { system, bars } of panels) {
    const tone = toneOf(comparison.systems, system, OURS);
    const lastMs = Math.max(...bars.map((bar) => bar.endMs));
    body.push(text(10, y + 19, system, "strong"), text(LEFT, y + 19, `${duration(lastMs)} in all`, "soft"));
    y += HEADING;
    for (const bar of bars) {
      body.push(...drawBar(bar, y, tone, place));
      y += ROW;
    }
    y += 10;
  }
  const title = `Where the time of a ${faultName(scenario)} goes, ${protocolName(protocol)}`;
  return picture(`waterfall-${scenario}-${protocol}`, title, WIDTH, bottom + BOTTOM, body);
}

function drawBar(
  { label, startMs, endMs, waits }: Bar,
  y: number,
  tone: string,
  place: (ms: number) => number,
): readonly string[] {
  const [start, end] = [place(startMs), place(endMs)];
  const words = label.length > LABEL_LENGTH_MAX ? `${label.slice(0, LABEL_LENGTH_MAX - 1)}…` : label;
  return [
    text(LEFT - 10, y + BAR - 1, words, waits ? "soft small" : "small", "end"),
    rect(
      start,
      y,
      Math.max(1.5, end - start),
      BAR,
      waits ? `${tone} faint` : tone,
      `${label}: ${duration(endMs - startMs)}`,
      2,
    ),
    text(end + 6, y + BAR - 1, duration(endMs - startMs), "soft small"),
  ];
}
