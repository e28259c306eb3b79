/** Every pause of every run as a dot, on one logarithmic axis for all systems. Pure. */
import { cellsOf, METRICS, OURS, type Cell, type Comparison } from "./comparison.ts";
import { axisMarks, faultName, protocolName } from "./words.ts";
import { axisLabel, dot, duration, line, picture, rect, text, toneOf, type Picture } from "./svg.ts";

const WIDTH = 900;
const LEFT = 196;
const RIGHT = 128;
const ROW = 24;
const HEADING = 34;
const TOP = 10;
const BOTTOM = 30;
/** What clients feel; the others are derived from these. */
const DRAWN = ["pause", "open", "lock"];
/** Dots of one row lie on so many lines, so that few cover each other. */
const LANES = 5;
const LANE = 2.6;

interface Row {
  readonly y: number;
  readonly cell: Cell;
  /** Named only on the first row of its protocol. */
  readonly protocol: string;
}

interface Layout {
  readonly headings: readonly { readonly y: number; readonly title: string }[];
  readonly rows: readonly Row[];
  readonly bottom: number;
}

/** Undefined where no run of the scenario was measured. */
export function drawDistribution(comparison: Comparison, scenario: string): Picture | undefined {
  const cells = cellsOf(comparison).filter((cell) => cell.scenario === scenario && DRAWN.includes(cell.metric));
  if (cells.length === 0) return undefined;
  const { headings, rows, bottom } = layOut(cells);
  const values = cells.flatMap((cell) => cell.values).map((value) => Math.max(1, value));
  const [low, high] = [Math.min(...values) / 1.25, Math.max(...values) * 1.25];
  const place = (ms: number): number =>
    LEFT + (Math.log(Math.max(1, ms) / low) / Math.log(high / low)) * (WIDTH - LEFT - RIGHT);
  const body: string[] = headings.map(
    ({ y, title }) => rect(0, y, WIDTH, HEADING - 8, "band", "", 4) + text(10, y + 18, title, "strong"),
  );
  for (const ms of axisMarks(low, high)) {
    body.push(
      line(place(ms), TOP, place(ms), bottom, "grid"),
      text(place(ms), bottom + 18, axisLabel(ms), "soft small", "middle"),
    );
  }
  for (const row of rows) body.push(...drawRow(comparison, row, place));
  return picture(`pauses-${scenario}`, `Pauses of clients in a ${faultName(scenario)}`, WIDTH, bottom + BOTTOM, body);
}

function layOut(cells: readonly Cell[]): Layout {
  let y = TOP;
  const headings: { y: number; title: string }[] = [];
  const rows: Row[] = [];
  for (const metric of DRAWN) {
    const own = cells.filter((cell) => cell.metric === metric);
    if (own.length === 0) continue;
    headings.push({ y, title: METRICS.find(({ id }) => id === metric)?.title ?? metric });
    y += HEADING;
    for (const [at, cell] of own.entries()) {
      const isFirst = own[at - 1]?.protocol !== cell.protocol;
      if (isFirst && at > 0) y += ROW / 3;
      rows.push({ y: y + ROW / 2 - 4, cell, protocol: isFirst ? protocolName(cell.protocol) : "" });
      y += ROW;
    }
    y += ROW / 3;
  }
  return { headings, rows, bottom: y };
}

function drawRow(
  { systems }: Comparison,
  { y, cell, protocol }: Row,
  place: (ms: number) => number,
): readonly string[] {
  const { system, values, spread } = cell;
  const tone = toneOf(systems, system, OURS);
  const [low, high, median] = [place(spread.lowMs), place(spread.highMs), place(spread.medianMs)];
  return [
    text(10, y + 4, protocol, "soft small"),
    text(84, y + 4, system, system === OURS ? "strong" : ""),
    rect(low, y - 8, Math.max(2, high - low), 16, `${tone} pale`, "", 3),
    ...values.map((ms, at) =>
      dot(place(ms), y + ((at % LANES) - (LANES - 1) / 2) * LANE, 3, `${tone} faint`, `${system}: ${duration(ms)}`),
    ),
    rect(median - 1.5, y - 9, 3, 18, tone, `median ${duration(spread.medianMs)}`, 1),
    text(WIDTH - RIGHT + 14, y + 4, duration(spread.medianMs), "strong"),
    text(WIDTH - 4, y + 4, `${spread.count} ${spread.count === 1 ? "run" : "runs"}`, "soft small", "end"),
  ];
}
