/** What one client did through one fault, a mark for each stretch in which an operation succeeded. Pure. */
import { PROBES } from "../names.ts";
import { METRICS, OURS, typicalRun, type Comparison, type ComparedRun, type Trace } from "./comparison.ts";
import { axisLabel, axisTimes, duration, line, picture, rect, text, ticks, toneOf, type Picture } from "./svg.ts";
import { TRACE_STEP_MS } from "./trace.ts";
import { faultName, protocolName } from "./words.ts";

const WIDTH = 900;
const LEFT = 74;
const RIGHT = 10;
const TOP = 34;
const LANE = 17;
const MARK = 11;
const HEADING = 28;
const BOTTOM = 34;
const BEFORE_MS = 3_000;
const AFTER_MS = 3_000;

interface Shown {
  readonly run: ComparedRun;
  readonly trace: Trace;
}

/** Of each system the run with the median pause; undefined where none was recorded. */
export function drawOperations(comparison: Comparison, scenario: string, protocol: string): Picture | undefined {
  const shown = comparison.systems.flatMap((system): readonly Shown[] => {
    const own = comparison.runs.filter(
      (run) =>
        run.system === system && run.scenario === scenario && run.protocol === protocol && run.trace !== undefined,
    );
    const run = typicalRun(own);
    return run?.trace === undefined ? [] : [{ run, trace: run.trace }];
  });
  if (shown.length === 0) return undefined;
  const endMs = Math.max(...shown.map(({ trace }) => backMs(trace))) + AFTER_MS;
  const place = (ms: number): number => LEFT + ((ms + BEFORE_MS) / (endMs + BEFORE_MS)) * (WIDTH - LEFT - RIGHT);
  const panel = HEADING + PROBES.length * LANE + 14;
  const bottom = TOP + shown.length * panel;
  const body: string[] = [];
  for (const ms of axisTimes(-BEFORE_MS, endMs, 12)) {
    if (ms !== 0) body.push(line(place(ms), TOP, place(ms), bottom, "grid"));
    body.push(text(place(ms), bottom + 18, axisLabel(ms), "soft small", "middle"));
  }
  shown.forEach((one, at) => body.push(...drawPanel(comparison, one, TOP + at * panel, place, endMs)));
  body.push(
    text(
      place(0) + 5,
      TOP - 10,
      scenario === "planned-move" ? "the move is asked for" : faultName(scenario),
      "soft small",
    ),
  );
  const title = `A client through a ${faultName(scenario)}, ${protocolName(protocol)}`;
  return picture(`operations-${scenario}-${protocol}`, title, WIDTH, bottom + BOTTOM, body);
}

function drawPanel(
  { systems }: Comparison,
  { run, trace }: Shown,
  top: number,
  place: (ms: number) => number,
  endMs: number,
): readonly string[] {
  const tone = toneOf(systems, run.system, OURS);
  const pauseMs = METRICS[0]?.of(run.document);
  const said = pauseMs === undefined ? "" : `: reads and writes waited ${duration(pauseMs)}`;
  const width = Math.max(0.8, place(TRACE_STEP_MS) - place(0));
  const shown = (atMs: number): boolean => atMs >= -BEFORE_MS && atMs <= endMs - TRACE_STEP_MS;
  const lanes = PROBES.flatMap((probe, at) => {
    const y = top + HEADING + at * LANE;
    const marks = (trace.operations[probe] ?? []).filter(shown).map(place);
    return [
      rect(LEFT, y, place(Math.min(endMs, trace.endMs)) - LEFT, MARK, "band"),
      text(LEFT - 8, y + MARK - 2, probe, "soft small", "end"),
      ticks(marks, y, width, MARK, tone),
    ];
  });
  const errors = trace.errors.filter(shown).map(place);
  const errorY = top + HEADING - 4;
  return [
    text(10, top + 18, run.system, "strong"),
    text(10 + 8 * run.system.length + 8, top + 18, said.replace(/^: /, ""), "soft"),
    ...lanes,
    line(place(0), errorY - 2, place(0), errorY + PROBES.length * LANE + 4, "zero"),
    ticks(errors, errorY, Math.max(2, width), PROBES.length * LANE, "bad"),
  ].filter((one) => one !== "");
}

/** When the last of the probes was back: the end of the longest gap after the fault. */
function backMs(trace: Trace): number {
  const returns = PROBES.map((probe) => {
    const times = (trace.operations[probe] ?? []).filter((atMs) => atMs >= -BEFORE_MS);
    let longest = { gapMs: 0, endMs: 0 };
    for (const [at, endMs] of times.entries()) {
      const gapMs = at === 0 ? 0 : endMs - (times[at - 1] ?? 0);
      if (endMs > 0 && gapMs > longest.gapMs) longest = { gapMs, endMs };
    }
    return longest.endMs;
  });
  return Math.max(...returns);
}
