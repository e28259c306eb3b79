/** What a rule about the code is. Every rule carries samples, so that it is itself tested: a rule that cannot fail is a defect. */
import { readFileSync, readdirSync } from "node:fs";
import { join, relative } from "node:path";

export interface TextFile {
  /** From the repository's root, e.g. "src/base/fault.ts". */
  readonly path: string;
  readonly text: string;
}

export interface Finding {
  readonly path: string;
  /** From 1; absent where the file as a whole is meant. */
  readonly line?: number;
  readonly what: string;
}

export interface Rule {
  readonly name: string;
  /** What to do instead; every ban names its replacement. */
  readonly instead: string;
  find(files: readonly TextFile[]): readonly Finding[];
  /** Each of these little repositories breaks the rule at least once. */
  readonly wrong: readonly (readonly TextFile[])[];
  /** Each of these is fine, though it looks alike. */
  readonly right: readonly (readonly TextFile[])[];
}

const ROOT = join(import.meta.dirname, "../..");
const FOLDERS_LEFT_OUT = new Set(["node_modules", "dist", ".git", ".holdfast-lab", ".holdfast-lab-tests"]);
const TEXT_NAME =
  /(?:\.(?:ts|mjs|json|md|yaml|yml|sh|svg|txt|service|conf|py|html|css)|\/(?:test|demo|holdfast|run|fileserver|fence_holdfast|NOTICE|LICENSE))$/;

/** Every text file of the repository, whether git knows it yet or not. */
export function repositoryFiles(folder: string = ROOT): readonly TextFile[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return FOLDERS_LEFT_OUT.has(entry.name) ? [] : repositoryFiles(path);
    if (!entry.isFile() || !TEXT_NAME.test(path)) return [];
    return [{ path: relative(ROOT, path), text: readFileSync(path, "utf8") }];
  });
}

export function file(path: string, text: string): TextFile {
  return { path, text };
}

export function isTest(path: string): boolean {
  return path.endsWith(".test.ts") || path.endsWith(".lab.ts");
}

export function isSource(path: string): boolean {
  return path.startsWith("src/") && path.endsWith(".ts") && !isTest(path);
}

export function isTypeScript(path: string): boolean {
  return path.endsWith(".ts");
}

/** The samples of wrong code stand in these files; rules about words leave them out. */
export function isTidyItself(path: string): boolean {
  return path.startsWith("tests/tidy/") || path === "tests/tidy.test.ts";
}

/** One finding per line that the pattern meets. */
export function linesThat(pattern: RegExp, from: TextFile, what: string): readonly Finding[] {
  return from.text
    .split("\n")
    .flatMap((text, index) => (pattern.test(text) ? [{ path: from.path, line: index + 1, what }] : []));
}

export function findingText(finding: Finding): string {
  return `${finding.path}${finding.line === undefined ? "" : `:${finding.line}`}: ${finding.what}`;
}
