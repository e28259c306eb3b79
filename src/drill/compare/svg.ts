/** The few shapes that the pictures are made of, and their colours for light and dark. Pure. */

export function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/** Systems by place: ours is always the last colour. */
export const TONES = ["tone-a", "tone-b", "tone-c", "tone-d"] as const;

export function toneOf(systems: readonly string[], system: string, ours: string): string {
  if (system === ours) return "tone-ours";
  const others = systems.filter((one) => one !== ours);
  return TONES[others.indexOf(system) % TONES.length] ?? TONES[0];
}

/** For a page once, or for each picture that stands alone. */
export const STYLE = `:root{color-scheme:light dark;--paper:#fbfaf8;--ink:#1d2327;--soft:#69737b;--line:#e2dfd9;--band:#f1efea;--ours:#0b7a68;--a:#c8501e;--b:#b98a06;--c:#5b6ad0;--d:#a3468f;--bad:#c22f2f}
@media (prefers-color-scheme:dark){:root{--paper:#15191c;--ink:#e8e6e1;--soft:#98a2a9;--line:#2e363b;--band:#1c2226;--ours:#35c9ae;--a:#f0814e;--b:#e6bb3f;--c:#93a0f5;--d:#dc86c9;--bad:#ff6f6f}}
.picture{font:13px/1.4 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;fill:var(--ink)}
.picture .soft{fill:var(--soft)}.picture .small{font-size:11px}.picture .strong{font-weight:650}.picture .big{font-size:15px}
.picture .grid{stroke:var(--line);stroke-width:1}.picture .zero{stroke:var(--soft);stroke-width:1;stroke-dasharray:3 3}
.picture .band{fill:var(--band)}.picture .paper{fill:var(--paper)}.picture .bad{fill:var(--bad)}
.picture .tone-ours{fill:var(--ours)}.picture .tone-a{fill:var(--a)}.picture .tone-b{fill:var(--b)}.picture .tone-c{fill:var(--c)}.picture .tone-d{fill:var(--d)}
.picture .faint{opacity:.42}.picture .pale{opacity:.18}`;

export interface Picture {
  readonly name: string;
  readonly title: string;
  readonly svg: string;
}

/** @param body elements; the size is that of the drawing, which a page may scale down. */
export function picture(name: string, title: string, width: number, height: number, body: readonly string[]): Picture {
  const head = `<svg xmlns="http://www.w3.org/2000/svg" class="picture" role="img" aria-label="${escapeText(title)}" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">`;
  return { name, title, svg: [head, `<title>${escapeText(title)}</title>`, ...body, "</svg>"].join("\n") };
}

/** As a file of its own: with colours and paper. */
export function standalone({ svg }: Picture): string {
  return svg.replace("</title>", `</title>\n<style>${STYLE}</style>\n<rect class="paper" width="100%" height="100%"/>`);
}

/** One digit behind the point is a tenth of a pixel. */
function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}

export function text(
  x: number,
  y: number,
  words: string,
  classes = "",
  anchor: "start" | "middle" | "end" = "start",
): string {
  return `<text x="${px(x)}" y="${px(y)}"${classes === "" ? "" : ` class="${classes}"`}${anchor === "start" ? "" : ` text-anchor="${anchor}"`}>${escapeText(words)}</text>`;
}

export function rect(
  x: number,
  y: number,
  width: number,
  height: number,
  classes: string,
  label = "",
  round = 0,
): string {
  const shape = `<rect x="${px(x)}" y="${px(y)}" width="${px(Math.max(0, width))}" height="${px(height)}"${round === 0 ? "" : ` rx="${round}"`} class="${classes}"`;
  return label === "" ? `${shape}/>` : `${shape}><title>${escapeText(label)}</title></rect>`;
}

export function line(x1: number, y1: number, x2: number, y2: number, classes: string): string {
  return `<line x1="${px(x1)}" y1="${px(y1)}" x2="${px(x2)}" y2="${px(y2)}" class="${classes}"/>`;
}

export function dot(x: number, y: number, radius: number, classes: string, label: string): string {
  return `<circle cx="${px(x)}" cy="${px(y)}" r="${radius}" class="${classes}"><title>${escapeText(label)}</title></circle>`;
}

/** Ticks of one colour as one path: a probe makes hundreds of them. */
export function ticks(xs: readonly number[], y: number, width: number, height: number, classes: string): string {
  if (xs.length === 0) return "";
  const path = joined(xs, width).map(
    ([from, to]) => `M${px(from)} ${px(y)}h${px(to - from)}v${px(height)}h-${px(to - from)}z`,
  );
  return `<path class="${classes}" d="${path.join("")}"/>`;
}

/** Ticks that touch each other are one. */
function joined(xs: readonly number[], width: number): readonly (readonly [number, number])[] {
  const stretches: [number, number][] = [];
  for (const x of xs) {
    const last = stretches.at(-1);
    if (last !== undefined && x <= last[1] + width / 2) last[1] = x + width;
    else stretches.push([x, x + width]);
  }
  return stretches;
}

/** "840 ms", "2.4 s", "95 s". */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 20_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`;
}

/** The same without a needless ".0". */
export function axisLabel(ms: number): string {
  return ms === 0 ? "0" : duration(ms).replace(".0 s", " s");
}

const STEPS_MS = [100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 30_000, 60_000, 120_000, 300_000];

/** Times for an axis, at most `most` of them. */
export function axisTimes(startMs: number, endMs: number, most: number): readonly number[] {
  const stepMs = STEPS_MS.find((one) => (endMs - startMs) / one <= most) ?? endMs - startMs;
  const first = Math.ceil(startMs / stepMs) * stepMs;
  const count = Math.floor((endMs - first) / stepMs) + 1;
  return Array.from({ length: Math.max(0, count) }, (_, at) => first + at * stepMs);
}
