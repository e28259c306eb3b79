/**
 * From the text of a spec to the spec, or to everything that is wrong with it.
 *
 * Parts that are broken by themselves (the cluster, or one fileserver) are left out of the rules between keys, so that
 * one slip does not make a dozen messages; everything else is checked in the same run.
 */
import type { z } from "zod";
import { buildCluster, buildFileserver } from "./build.ts";
import { buildDirector } from "./director-build.ts";
import { directorSchema } from "./director-schema.ts";
import type { Draft, DraftDirector, DraftFileserver } from "./draft.ts";
import { optionFindings } from "./fileserver-rules.ts";
import { quoted } from "./leaf.ts";
import { formatPath, specFault, type Finding, type SpecProblem, type SpecWarning } from "./problem.ts";
import { ruleFindings } from "./rules.ts";
import { API_VERSION, clusterSchema, fileserverSchema } from "./schema.ts";
import { shapeFindings, valueAt } from "./shape.ts";
import { locate, readSource, type Source } from "./source.ts";
import type { Spec } from "./spec.ts";
import { warningFindings } from "./warnings.ts";

export type ParsedSpec =
  | { readonly ok: true; readonly spec: Spec; readonly warnings: readonly SpecWarning[] }
  /** `problems` is sorted by line and never empty. */
  | { readonly ok: false; readonly problems: readonly SpecProblem[] };

/** Never throws, whatever the text is. */
export function parseSpec(text: string): ParsedSpec {
  const read = readSource(text.startsWith("\ufeff") ? text.slice(1) : text);
  if (!read.ok) {
    return {
      ok: false,
      problems: sorted(read.findings.map((finding) => ({ ...finding, path: formatPath(finding.path) }))),
    };
  }
  const { source } = read;
  const shape = [...versionFindings(source.value), ...shapeFindings(source.value)];
  const draft = readDraft(source, shape);
  const findings = [...shape, ...conflictFindings(source, draft), ...ruleFindings(draft)];
  if (findings.length > 0 || draft.cluster === undefined) {
    return { ok: false, problems: sorted(findings.map((finding) => place(source, finding))) };
  }
  const spec: Spec = {
    cluster: draft.cluster,
    fileservers: draft.fileservers.map((fileserver) => fileserver.spec),
    directors: draft.directors.flatMap((director) => director.spec ?? []),
  };
  return { ok: true, spec, warnings: sorted(warningFindings(draft).map((finding) => place(source, finding))) };
}

/** The spec, or a Fault of kind "invalid" that tells the problems line by line. `fileName` is only for the messages. */
export function loadSpec(text: string, fileName: string): Spec {
  const parsed = parseSpec(text);
  if (parsed.ok) return parsed.spec;
  throw specFault(fileName, parsed.problems);
}

function versionFindings(value: unknown): readonly Finding[] {
  const version = valueAt(value, ["apiVersion"]);
  if (typeof version !== "string" || version === API_VERSION) return [];
  return [
    {
      code: "api-version",
      path: ["apiVersion"],
      what: `${quoted(version)} is not a version that this release reads`,
      why: "the meaning of keys may differ between versions",
      remedy: `write ${API_VERSION}, or use the release that the spec was written for`,
    },
  ];
}

function readDraft(source: Source, shape: readonly Finding[]): Draft {
  const broken = new Set(shape.map((finding) => partOf(finding.path)));
  const sound = (part: string): boolean => !broken.has(part) && !broken.has("");
  const clusterInput = sound("cluster") ? read(clusterSchema, valueAt(source.value, ["cluster"])) : undefined;
  const cluster = clusterInput === undefined ? undefined : buildCluster(clusterInput);
  const clusterName = cluster?.name ?? "";
  const fileservers: DraftFileserver[] = [];
  for (const [index, value] of listAt(source, "fileservers").entries()) {
    if (!sound("fileservers") || !sound(`fileservers.${index}`)) continue;
    const input = read(fileserverSchema, value);
    if (input === undefined) continue;
    fileservers.push({
      path: ["fileservers", index],
      spec: buildFileserver(input, clusterName),
      given: { mac: input.mac !== undefined },
    });
  }
  const directors: DraftDirector[] = [];
  for (const [index, value] of listAt(source, "directors").entries()) {
    if (!sound("directors") || !sound(`directors.${index}`)) continue;
    const input = read(directorSchema, value);
    if (input === undefined) continue;
    const ground = cluster === undefined ? undefined : { cluster, fileservers: fileservers.map((each) => each.spec) };
    const spec = ground === undefined ? undefined : buildDirector(input, ground);
    directors.push({ path: ["directors", index], input, spec });
  }
  const incomplete = fileservers.length < listAt(source, "fileservers").length || !sound("fileservers");
  return { cluster, fileservers, directors, incomplete };
}

/** The part whose problem it is: the cluster, one fileserver, one director, a list of them, or ("") the document. */
function partOf(path: Finding["path"]): string {
  const [first, second] = path;
  if (first === "cluster") return "cluster";
  if (first === "fileservers" || first === "directors") return second === undefined ? first : `${first}.${second}`;
  return path.length === 0 ? "" : "elsewhere";
}

function read<T extends z.ZodType>(schema: T, value: unknown): z.output<T> | undefined {
  const result = schema.safeParse(value);
  return result.success ? result.data : undefined;
}

function listAt(source: Source, key: string): readonly unknown[] {
  const value = valueAt(source.value, [key]);
  return Array.isArray(value) ? value : [];
}

function conflictFindings(source: Source, draft: Draft): readonly Finding[] {
  return draft.fileservers.flatMap((fileserver) => {
    const input = read(fileserverSchema, valueAt(source.value, fileserver.path));
    return optionFindings(fileserver.path, input?.exports ?? []);
  });
}

function place<Code extends string>(source: Source, finding: Finding<Code>): SpecProblem<Code> {
  const found = locate(source, finding.path);
  const at = finding.atKey === true ? found.place.keyAt : found.place.at;
  const other = finding.other === undefined ? undefined : locate(source, finding.other).place.at.line;
  return {
    code: finding.code,
    // A missing key has no place of its own: the map that lacks it is shown, the message names the key.
    path: formatPath(found.path),
    line: at.line,
    column: at.column,
    what: other === undefined || other === at.line ? finding.what : `${finding.what} (line ${other})`,
    why: finding.why,
    remedy: finding.remedy,
  };
}

function sorted<P extends SpecProblem<string>>(problems: readonly P[]): readonly P[] {
  return problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
}
