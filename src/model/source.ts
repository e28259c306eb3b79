/**
 * From text to plain values with the place of each, and nothing else: no defaults, no meaning. What YAML offers beyond
 * a spec's needs (anchors, tags, several documents, duplicate keys) is refused, because each has been used to hide one
 * meaning behind another or to blow a small file up.
 *
 * Bounds: TEXT_BYTES_MAX before parsing; the YAML library's own bound on nesting while parsing; DEPTH_MAX and
 * VALUES_MAX afterwards. Duplicate keys are found here and not by the library, whose check takes quadratic time.
 */
import {
  LineCounter,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  parseDocument,
  type Document,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";
import type { Position, SpecPath } from "./problem.ts";
import type { ProblemCode } from "./problem-codes.ts";

/** 1 MiB: a spec of 16 nodes and 64 fileservers stays under a tenth of it. */
export const TEXT_BYTES_MAX = 1024 * 1024;
const DEPTH_MAX = 16;
const VALUES_MAX = 50_000;
const SOURCE_PROBLEMS_MAX = 100;

export interface PlacedFinding extends Position {
  readonly code: ProblemCode;
  readonly path: SpecPath;
  readonly what: string;
  readonly why: string;
  readonly remedy: string;
}

export interface Source {
  readonly value: unknown;
  readonly root: Place;
}

/** Where a value stands, and the values inside it. */
export interface Place {
  readonly at: Position;
  /** Where its key stands; the value's own place for list items and for the whole document. */
  readonly keyAt: Position;
  readonly inside: ReadonlyMap<string | number, Place>;
}

export type SourceResult =
  | { readonly ok: true; readonly source: Source }
  | { readonly ok: false; readonly findings: readonly PlacedFinding[] };

export function readSource(text: string): SourceResult {
  const refused = refuseText(text);
  if (refused !== undefined) return { ok: false, findings: [refused] };
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
    uniqueKeys: false,
    logLevel: "error",
    resolveKnownTags: false,
  });
  const walk: Walk = { lines, findings: [], values: 0 };
  collectErrors(document, walk);
  if (walk.findings.length > 0) return { ok: false, findings: walk.findings };
  const { value, place } = read(walk, document.contents, { path: [], depth: 0, keyAt: { line: 1, column: 1 } });
  if (walk.findings.length > 0) return { ok: false, findings: walk.findings };
  return { ok: true, source: { value, root: place } };
}

/** The place of the deepest part of the path that exists, and that part. */
export function locate(source: Source, path: SpecPath): { readonly place: Place; readonly path: SpecPath } {
  let place = source.root;
  for (const [index, part] of path.entries()) {
    const inner = place.inside.get(part);
    if (inner === undefined) return { place, path: path.slice(0, index) };
    place = inner;
  }
  return { place, path };
}

// oxlint-disable-next-line no-control-regex -- control characters are what this looks for
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/;

function refuseText(text: string): PlacedFinding | undefined {
  // A UTF-16 unit is at least one byte of UTF-8, so this never refuses a file within the limit.
  if (text.length > TEXT_BYTES_MAX) {
    return {
      code: "spec-too-large",
      path: [],
      line: 1,
      column: 1,
      what: `the text has ${text.length} characters, more than the ${TEXT_BYTES_MAX} that a spec may have`,
      why: "a spec of the largest cluster stays far below that, so this is some other file",
      remedy: "name the right file with -f",
    };
  }
  const control = CONTROL.exec(text);
  if (control === null) return undefined;
  const before = text.slice(0, control.index);
  const lineStart = before.lastIndexOf("\n") + 1;
  const code = control[0].charCodeAt(0).toString(16).padStart(4, "0");
  return {
    code: "spec-not-text",
    path: [],
    line: before.split("\n").length,
    column: control.index - lineStart + 1,
    what: `a control character (U+${code.toUpperCase()}) stands here`,
    why: "a text file holds none, so this file is binary or damaged",
    remedy: "remove the character, or name the right file with -f",
  };
}

interface Walk {
  readonly lines: LineCounter;
  readonly findings: PlacedFinding[];
  values: number;
}

interface Context {
  readonly path: SpecPath;
  readonly depth: number;
  readonly keyAt: Position;
}

function position(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

function collectErrors(document: Document, walk: Walk): void {
  for (const error of document.errors.slice(0, SOURCE_PROBLEMS_MAX)) {
    const deep = error.code === "RESOURCE_EXHAUSTION";
    walk.findings.push({
      ...position(walk.lines, error.pos[0]),
      path: [],
      code: deep ? "yaml-too-deep" : "not-yaml",
      what: deep ? "the values are nested far deeper than in any spec" : `this is not YAML: ${plain(error.message)}`,
      why: deep ? "such files are made to exhaust the reader" : "nothing after this line can be read with certainty",
      remedy:
        YAML_REMEDIES[error.code] ?? "write `key: value` pairs, indented by two spaces, and quote texts with : or #",
    });
  }
  if (walk.findings.length > 0 || document.directives?.yaml.explicit !== true) return;
  walk.findings.push({
    line: 1,
    column: 1,
    path: [],
    code: "yaml-tag",
    what: "a %YAML directive stands at the top",
    why: "it changes what words like no and 010 mean",
    remedy: "remove the directive: a spec is YAML 1.2",
  });
}

const YAML_REMEDIES: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: "indent with spaces, not tabs",
  MULTIPLE_DOCS: "keep one document: remove the `---` line and what does not belong to it",
  RESOURCE_EXHAUSTION: "name the right file with -f",
};

function plain(message: string): string {
  const line = message.split("\n", 1)[0] ?? "";
  return line.length > 160 ? `${line.slice(0, 160)}…` : line;
}

interface Read {
  readonly value: unknown;
  readonly place: Place;
}

const NOTHING_INSIDE: ReadonlyMap<string | number, Place> = new Map();

function read(walk: Walk, node: unknown, context: Context): Read {
  const range = (node as { range?: readonly number[] | null } | null)?.range;
  const at = range?.[0] === undefined ? context.keyAt : position(walk.lines, range[0]);
  const leaf = (value: unknown): Read => ({ value, place: { at, keyAt: context.keyAt, inside: NOTHING_INSIDE } });
  // Past the bound the one finding has been made; the rest of the file is not looked at.
  if (walk.values > VALUES_MAX) return leaf(undefined);
  const refusal = refuseNode(walk, node, context);
  if (refusal !== undefined) {
    if (walk.findings.length < SOURCE_PROBLEMS_MAX) walk.findings.push({ ...at, path: context.path, ...refusal });
    return leaf(undefined);
  }
  if (isMap(node)) return readMap(walk, node, context, at);
  if (isSeq(node)) return readSeq(walk, node, context, at);
  return leaf(isScalar(node) ? node.value : null);
}

type Refusal = Pick<PlacedFinding, "code" | "what" | "why" | "remedy">;

function refuseNode(walk: Walk, node: unknown, context: Context): Refusal | undefined {
  walk.values += 1;
  if (context.depth > DEPTH_MAX) {
    return {
      code: "yaml-too-deep",
      what: `this is nested more than ${DEPTH_MAX} levels deep`,
      why: "no key of a spec is",
      remedy: "remove the extra levels",
    };
  }
  if (walk.values > VALUES_MAX) {
    return {
      code: "yaml-too-many",
      what: `the file holds more than ${VALUES_MAX} values`,
      why: "a spec of the largest cluster stays far below that, so this is some other file",
      remedy: "name the right file with -f",
    };
  }
  if (isAlias(node) || (isNode(node) && node.anchor !== undefined)) {
    return {
      code: "yaml-alias",
      what: isAlias(node) ? "an alias (*name) stands here" : "an anchor (&name) stands here",
      why: "aliases hide what a line means, and can make a small file huge",
      remedy: "write the value out; quote it if it is meant to begin with * or &",
    };
  }
  if (isNode(node) && node.tag !== undefined) {
    return {
      code: "yaml-tag",
      what: `a tag (${node.tag}) stands here`,
      why: "a spec needs none, and tags change what a value is",
      remedy: "remove the tag; quote the value if it is meant to begin with !",
    };
  }
  return undefined;
}

function isNode(node: unknown): node is { readonly anchor?: string; readonly tag?: string } {
  return isMap(node) || isSeq(node) || isScalar(node);
}

function readMap(walk: Walk, map: YAMLMap, context: Context, at: Position): Read {
  const entries = new Map<string, unknown>();
  const inside = new Map<string, Place>();
  for (const pair of map.items) {
    const key = isScalar(pair.key) ? String(pair.key.value) : "";
    const keyRange = isScalar(pair.key) ? pair.key.range : undefined;
    const keyAt = keyRange === undefined || keyRange === null ? at : position(walk.lines, keyRange[0]);
    const path = [...context.path, key];
    const refusal = refuseKey(walk, pair.key, inside.get(key), key);
    if (refusal !== undefined) {
      if (walk.findings.length < SOURCE_PROBLEMS_MAX) walk.findings.push({ ...keyAt, path, ...refusal });
      continue;
    }
    const { value, place } = read(walk, pair.value, { path, depth: context.depth + 1, keyAt });
    entries.set(key, value);
    inside.set(key, place);
  }
  // fromEntries defines own members, so that a key named __proto__ is a key like any other.
  return { value: Object.fromEntries(entries), place: { at, keyAt: context.keyAt, inside } };
}

function refuseKey(walk: Walk, key: unknown, first: Place | undefined, name: string): Refusal | undefined {
  if (first !== undefined) {
    return {
      code: "duplicate-key",
      what: `the key ${name} stands here for the second time (first on line ${first.keyAt.line})`,
      why: "one of the two would be ignored silently",
      remedy: "keep one of them",
    };
  }
  if (!isScalar(key)) {
    return {
      code: "not-yaml",
      what: "a key that is not a word",
      why: "every key of a spec is one word",
      remedy: "name it",
    };
  }
  return refuseNode(walk, key, { path: [], depth: 0, keyAt: { line: 1, column: 1 } });
}

function readSeq(walk: Walk, seq: YAMLSeq, context: Context, at: Position): Read {
  const values: unknown[] = [];
  const inside = new Map<number, Place>();
  for (const [index, item] of seq.items.entries()) {
    const range = (item as { range?: readonly number[] | null } | null)?.range;
    const keyAt = range?.[0] === undefined ? at : position(walk.lines, range[0]);
    const { value, place } = read(walk, item, { path: [...context.path, index], depth: context.depth + 1, keyAt });
    values.push(value);
    inside.set(index, place);
  }
  return { value: values, place: { at, keyAt: context.keyAt, inside } };
}
