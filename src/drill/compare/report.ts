/** The report as one page that needs nothing else: text, tables and the pictures. Pure. */
import {
  cellsOf,
  lossesOf,
  METRICS,
  OURS,
  ratiosOf,
  type Cell,
  type Comparing,
  type Comparison,
  type Losses,
} from "./comparison.ts";
import { drawDistribution } from "./distribution.ts";
import { drawOperations } from "./operations.ts";
import { duration, escapeText, STYLE, type Picture } from "./svg.ts";
import { drawWaterfall } from "./waterfall.ts";
import { faultName, protocolName } from "./words.ts";

export function picturesOf(comparison: Comparison): readonly Picture[] {
  return comparison.scenarios.flatMap((scenario) => scenarioPictures(comparison, scenario));
}

function scenarioPictures(comparison: Comparison, scenario: string): readonly Picture[] {
  return [
    drawDistribution(comparison, scenario),
    ...comparison.protocols.flatMap((protocol) => [
      drawOperations(comparison, scenario, protocol),
      drawWaterfall(comparison, scenario, protocol),
    ]),
  ].filter((one) => one !== undefined);
}

const PAGE_STYLE = `${STYLE}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1020px;margin:0 auto;padding:48px 24px 80px}h1{font-size:34px;line-height:1.2;margin:0 0 8px;letter-spacing:-.02em}h2{font-size:23px;margin:56px 0 6px;letter-spacing:-.01em}h3{font-size:16px;margin:28px 0 4px}
p{margin:6px 0 14px;max-width:70ch}.soft{color:var(--soft)}.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(215px,1fr));gap:16px;margin:28px 0}
.card{background:var(--band);border-radius:12px;padding:18px 20px}.card .what{color:var(--soft);font-size:14px}.card .figure{font-size:38px;font-weight:680;letter-spacing:-.03em;color:var(--ours);line-height:1.25}
.card ul{list-style:none;margin:8px 0 0;padding:0;font-size:14px}.card li{display:flex;justify-content:space-between;gap:12px;padding:3px 0;border-top:1px solid var(--line)}
figure{margin:18px 0 30px;overflow-x:auto}figure svg{width:100%;height:auto;min-width:640px;display:block}figcaption{color:var(--soft);font-size:14px;margin-bottom:8px}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:14px;margin:14px 0 26px;font-variant-numeric:tabular-nums}th,td{text-align:left;padding:7px 12px 7px 0;border-bottom:1px solid var(--line);vertical-align:top}th{color:var(--soft);font-weight:500}td.n,th.n{text-align:right;padding-right:18px;white-space:nowrap}
.one{white-space:nowrap}.yes{color:var(--ours);font-weight:600}.no{color:var(--bad);font-weight:600}details summary{cursor:pointer;color:var(--soft)}`;

/** @param notes sentences about the place where it was measured. */
export function renderReport(comparison: Comparison, notes: readonly string[]): string {
  const cells = cellsOf(comparison);
  const ratios = ratiosOf(comparison, cells);
  const body = [
    "<h1>How long NFS clients wait</h1>",
    `<p class="soft">${escapeText(headline(comparison))}</p>`,
    cards(comparison, cells, ratios),
    "<h2>Goals</h2>",
    goalTable(cells, ratios),
    `<details><summary>All ratios</summary>${ratioTable(ratios)}</details>`,
    ...comparison.scenarios.flatMap((scenario) => scenarioSection(comparison, cells, scenario)),
    "<h2>What was lost</h2>",
    lossTable(lossesOf(comparison)),
    ...brokenSection(comparison),
    "<h2>How it was measured</h2>",
    ...[...MEASURING, ...notes].map((note) => `<p>${escapeText(note)}</p>`),
    runsTable(comparison),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>How long NFS clients wait</title>
<style>${PAGE_STYLE}</style>
</head>
<body>
<main>
${body.join("\n")}
</main>
</body>
</html>
`;
}

/** Of ours alone. */
const BOUNDS = [{ scenario: "planned-move", metric: "pause", atMostMs: 2000 }];

const MEASURING = [
  "A client writes, reads, opens and locks all the time, each in a thread of its own. A pause is the longest gap between two successes of one of them that touches the fault, less its normal interval: measured on the client, never read from a server's log. The pause of reads and writes is the longer of the two.",
  "Every system runs on machines of the same image and shape, one system at a time, in rounds that take turns. A ratio is median by median; its interval is a bootstrap of 2,000 draws (95 percent). Times below 40 ms count as 40 ms, because the probes cannot tell them apart.",
];

function headline({ systems, scenarios, protocols, runs, updatedAt, computer }: Comparison): string {
  const what = scenarios.map(faultName).join(" and ");
  const over = protocols.map(protocolName).join(" and ");
  return `${systems.join(", ")}: ${what}, over ${over}. ${runs.length} runs, ${updatedAt.slice(0, 10)}, on ${computer}.`;
}

function cards({ scenarios, protocols }: Comparison, cells: readonly Cell[], ratios: readonly Comparing[]): string {
  const made = scenarios.flatMap((scenario) =>
    protocols.flatMap((protocol) => {
      const own = (cell: { scenario: string; protocol: string; metric: string }): boolean =>
        cell.scenario === scenario && cell.protocol === protocol && cell.metric === "pause";
      const ours = cells.find((cell) => own(cell) && cell.system === OURS);
      if (ours === undefined) return [];
      const rows = ratios
        .filter(own)
        .map(
          ({ against, theirsMs, times }) =>
            `<li><span>${escapeText(against)} ${duration(theirsMs)}</span><b>${shown(times.ratio)} times</b></li>`,
        );
      return [
        `<div class="card"><div class="what">${escapeText(faultName(scenario))}, ${protocolName(protocol)}</div><div class="figure">${duration(ours.spread.medianMs)}</div><div class="what">Holdfast's clients wait, median of ${ours.spread.count}</div><ul>${rows.join("")}</ul></div>`,
      ];
    }),
  );
  return `<div class="cards">${made.join("\n")}</div>`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[], numbers: readonly number[]): string {
  const tag = (name: string, at: number): string => `<${name}${numbers.includes(at) ? ' class="n"' : ""}>`;
  const heads = head.map((cell, at) => `${tag("th", at)}${cell}</th>`).join("");
  const lines = rows.map((row) => `<tr>${row.map((cell, at) => `${tag("td", at)}${cell}</td>`).join("")}</tr>`);
  return `<div class="wide"><table>\n<thead><tr>${heads}</tr></thead>\n<tbody>\n${lines.join("\n")}\n</tbody></table></div>`;
}

const RATIO_HEAD = ["fault", "", "what", "Holdfast", "against", "", "times shorter", "95 %", "goal", ""];
const RATIO_NUMBERS = [3, 5, 6, 7, 8];

function goalTable(cells: readonly Cell[], ratios: readonly Comparing[]): string {
  const withGoal = ratios.filter(({ goal }) => goal !== undefined);
  const bounds = BOUNDS.flatMap(({ scenario, metric, atMostMs }) =>
    cells
      .filter((cell) => cell.system === OURS && cell.scenario === scenario && cell.metric === metric)
      .map(({ protocol, spread: { medianMs } }) => [
        ...placeCells(scenario, protocol, metric),
        duration(medianMs),
        "a bound",
        duration(atMostMs),
        "",
        "",
        "",
        verdictWords({ reached: medianMs <= atMostMs, sure: true }),
      ]),
  );
  if (withGoal.length + bounds.length === 0) return '<p class="soft">There is nothing to compare yet.</p>';
  return table(RATIO_HEAD, [...withGoal.map(ratioCells), ...bounds], RATIO_NUMBERS);
}

function ratioTable(ratios: readonly Comparing[]): string {
  return table(RATIO_HEAD, ratios.map(ratioCells), RATIO_NUMBERS);
}

function placeCells(scenario: string, protocol: string, metric: string): readonly string[] {
  return [
    `<span class="one">${escapeText(faultName(scenario))}</span>`,
    protocolName(protocol),
    METRICS.find(({ id }) => id === metric)?.title ?? metric,
  ];
}

function ratioCells(one: Comparing): readonly string[] {
  return [
    ...placeCells(one.scenario, one.protocol, one.metric),
    duration(one.oursMs),
    `<span class="one">${escapeText(one.against)}</span>`,
    duration(one.theirsMs),
    shown(one.times.ratio),
    `${shown(one.times.low)} to ${shown(one.times.high)}`,
    one.goal === undefined ? "" : String(one.goal),
    verdictWords(one),
  ];
}

/** Two or three digits that mean something. */
function shown(ratio: number): string {
  return ratio < 100 ? ratio.toFixed(1) : String(Math.round(ratio));
}

function verdictWords({ reached, sure }: Pick<Comparing, "reached" | "sure">): string {
  if (reached === undefined) return "";
  const unsure = sure === true ? "" : ", not surely";
  return reached ? `<span class="yes">reached${unsure}</span>` : `<span class="no">not reached${unsure}</span>`;
}

function scenarioSection(comparison: Comparison, cells: readonly Cell[], scenario: string): readonly string[] {
  const name = faultName(scenario);
  const pictures = scenarioPictures(comparison, scenario);
  const own = cells.filter((cell) => cell.scenario === scenario);
  const rows = own.map(({ system, protocol, metric, spread }) => [
    METRICS.find(({ id }) => id === metric)?.title ?? metric,
    protocolName(protocol),
    escapeText(system),
    duration(spread.medianMs),
    `${duration(spread.lowMs)} to ${duration(spread.highMs)}`,
    duration(spread.maxMs),
    String(spread.count),
  ]);
  return [
    `<h2>${escapeText(name.charAt(0).toUpperCase() + name.slice(1))}</h2>`,
    ...pictures.map(
      ({ title, svg, name: picture }) =>
        `<figure><figcaption>${escapeText(captionOf(picture, title))}</figcaption>\n${svg}\n</figure>`,
    ),
    `<details><summary>The figures</summary>${table(["what", "", "system", "median", "quartiles", "longest", "runs"], rows, [3, 4, 5, 6])}</details>`,
  ];
}

function captionOf(name: string, title: string): string {
  if (name.startsWith("pauses-"))
    return `${title}. Every dot is one run; the bar is the median, the band the middle half. The axis is logarithmic.`;
  if (name.startsWith("operations-"))
    return `${title}: the run with the median pause. A mark wherever an operation succeeded; red is an error.`;
  return `${title}: the same runs, the longest steps of each. Pale bars are waiting.`;
}

function lossTable(losses: readonly Losses[]): string {
  const head = [
    "system",
    "runs",
    "acknowledged writes",
    "lost",
    "locks held",
    "lost",
    "granted twice",
    "stale reads",
    "errors",
    "failed drills",
  ];
  const count = (value: number): string => (value === 0 ? "0" : `<span class="no">${value}</span>`);
  const rows = losses.map((one) => [
    escapeText(one.system),
    String(one.runs),
    String(one.acknowledgedWrites),
    count(one.lostWrites),
    String(one.locksHeld),
    count(one.locksLost),
    count(one.grantedTwice),
    count(one.staleReads),
    count(one.errorsSeenByApplications),
    count(one.failed),
  ]);
  return table(head, rows, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

function brokenSection({ broken }: Comparison): readonly string[] {
  if (broken.length === 0) return [];
  const items = broken.map(
    ({ system, scenario, protocol, round, why }) =>
      `<li>${escapeText(`${system}, ${scenario} over ${protocol}, round ${round}: ${why}`)}</li>`,
  );
  return ["<h3>Drills that could not be carried out</h3>", `<ul>${items.join("\n")}</ul>`];
}

function runsTable({ runs }: Comparison): string {
  const head = ["system", "fault", "", "round", "write", "read", "open", "lock", "verdict"];
  const rows = runs.map(({ system, scenario, protocol, round, document: { pauseMs, verdict, because } }) => [
    escapeText(system),
    escapeText(faultName(scenario)),
    protocolName(protocol),
    String(round),
    ...[pauseMs.write, pauseMs.read, pauseMs.open, pauseMs.lock].map((ms) => (ms === undefined ? "" : duration(ms))),
    verdict === "pass" ? "pass" : `<span class="no">fail</span> ${escapeText(because.join("; "))}`,
  ]);
  return `<details><summary>Every run</summary>${table(head, rows, [3, 4, 5, 6, 7])}</details>`;
}
