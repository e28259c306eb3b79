/** What is wrong with a spec, in the spec's own lines. */
import { Fault } from "../base/fault.ts";
import type { ProblemCode, WarningCode } from "./problem-codes.ts";

/** Keys and indices from the top of the document, e.g. ["fileservers", 0, "address"]. */
export type SpecPath = readonly (string | number)[];

export interface Position {
  /** 1-based. */
  readonly line: number;
  /** 1-based, in characters. */
  readonly column: number;
}

/** What a check found, before it is given its place in the file. */
export interface Finding<Code extends string = ProblemCode> {
  readonly code: Code;
  readonly path: SpecPath;
  readonly what: string;
  readonly why: string;
  readonly remedy: string;
  /** The other place concerned, e.g. where the name was first used. */
  readonly other?: SpecPath;
  /** True where the key itself is wrong rather than its value. */
  readonly atKey?: boolean;
}

export interface SpecProblem<Code extends string = ProblemCode> extends Position {
  /** Stable; scripts match on it. Listed in docs/spec.md. */
  readonly code: Code;
  /** As written for people: `fileservers[0].volumes[0].device`; "" for the whole file. */
  readonly path: string;
  readonly what: string;
  readonly why: string;
  readonly remedy: string;
}

/** Something that works but that the operator should know. */
export type SpecWarning = SpecProblem<WarningCode>;

export function formatPath(path: SpecPath): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else text += text === "" ? part : `.${part}`;
  }
  return text;
}

/** One line: `holdfast.yaml:14:7  fileservers[0].link: what. why. what to write instead.` */
export function formatProblem(fileName: string, problem: SpecProblem<string>): string {
  const place = `${fileName}:${problem.line}:${problem.column}`;
  const path = problem.path === "" ? "" : `${problem.path}: `;
  const sentences = [problem.what, capitalised(problem.why), capitalised(problem.remedy)].filter((text) => text !== "");
  return `${place}  ${path}${sentences.map(stopped).join(" ")}`;
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function stopped(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** How many problems are told at once; the first ones are usually the cause of the rest. */
export const PROBLEMS_TOLD_MAX = 20;

/** The problems as the one Fault that commands throw: kind "invalid", code "invalid-spec". */
export function specFault(fileName: string, problems: readonly SpecProblem[]): Fault {
  const told = problems.slice(0, PROBLEMS_TOLD_MAX).map((problem) => `  ${formatProblem(fileName, problem)}`);
  const more = problems.length - told.length;
  if (more > 0) told.push(`  and ${more} more`);
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  return new Fault({
    kind: "invalid",
    code: "invalid-spec",
    what: [`${fileName} is not a valid spec: ${count}`, ...told].join("\n"),
    remedy:
      "correct the lines named above; `holdfast check` looks again, `holdfast schema` and docs/spec.md list every key",
  });
}
