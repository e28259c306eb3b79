/** Rules about how a file is written. */
import { posix } from "node:path";
import { importsOf } from "./layers.ts";
import {
  file,
  isSource,
  isTest,
  isTidyItself,
  isTypeScript,
  linesThat,
  type Finding,
  type Rule,
  type TextFile,
} from "./rule.ts";

const LINES_MAX = 450;

function inCode(find: (from: TextFile) => readonly Finding[]): Rule["find"] {
  return (files) => files.filter(({ path }) => isTypeScript(path) && !isTidyItself(path)).flatMap(find);
}

function inTests(find: (from: TextFile) => readonly Finding[]): Rule["find"] {
  return (files) => files.filter(({ path }) => isTest(path) && !isTidyItself(path)).flatMap(find);
}

/** Files whose functions no test in their folder reaches, each with the reason. */
export const NO_TEST_BESIDE: Readonly<Record<string, string>> = {
  "src/cli/main.ts": "joins commander with the commands; every build starts it (scripts/build.ts --check)",
};

const EXPORTS_FUNCTION = /^export (?:async )?function\b|^export const \w+(?:: [^=]+)? = (?:async )?(?:\(|<)/m;

function untested(files: readonly TextFile[]): readonly Finding[] {
  const reached = reachedByTests(files);
  return files
    .filter(({ path, text }) => isSource(path) && EXPORTS_FUNCTION.test(text) && !(path in NO_TEST_BESIDE))
    .filter(({ path }) => !reached.has(path))
    .map(({ path }) => ({ path, what: "exports a function that no test in its folder reaches" }));
}

/** What the tests of a part (a folder of src) import of that part, and what this imports of it in turn. */
function reachedByTests(files: readonly TextFile[]): ReadonlySet<string> {
  const texts = new Map(files.map(({ path, text }) => [path, text]));
  const reached = new Set<string>();
  const open = files.filter(({ path }) => isTest(path)).map(({ path }) => path);
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    for (const imported of importedOfOwnPart(path, texts.get(path) ?? "")) {
      if (reached.has(imported)) continue;
      reached.add(imported);
      open.push(imported);
    }
  }
  return reached;
}

function importedOfOwnPart(path: string, text: string): readonly string[] {
  const part = path.split("/").slice(0, 2).join("/");
  return importsOf(text)
    .map(({ target }) => posix.join(posix.dirname(path), target))
    .filter((imported) => imported.startsWith(`${part}/`));
}

export const CODE_RULES: readonly Rule[] = [
  {
    name: "no default exports and no barrels",
    instead: "export each thing by its name, and import it from the file that has it",
    find: inCode((from) =>
      linesThat(
        /^export default\b|^export \* (?:as \w+ )?from|^export \{[^}]*\bas default\b/,
        from,
        "default export or barrel",
      ),
    ),
    wrong: [
      [file("src/base/a.ts", "export default function a() {}")],
      [file("src/base/a.ts", 'export * from "./b.ts";')],
      [file("src/base/a.ts", "export { a as default };")],
    ],
    right: [[file("src/base/a.ts", "export function a() {}\n// export default is banned")]],
  },
  {
    name: "file names say what is in them",
    instead: "name the file after its one idea",
    find: inCode(({ path }) =>
      /(?:^|\/)(?:index|utils?|helpers?|common|misc|shared|types)\.ts$/.test(path)
        ? [{ path, what: "a name that says nothing" }]
        : [],
    ),
    wrong: [[file("src/base/index.ts", "")], [file("src/nfs/utils.ts", "")], [file("src/lab/types.ts", "")]],
    right: [[file("src/cli/command.ts", "")], [file("src/lab/reindex.ts", "")]],
  },
  {
    name: "types are not talked away",
    instead:
      "narrow the value, or validate it where it enters (zod); `as unknown as` only with a comment in the line above",
    find: inCode((from) =>
      linesThat(/\bas any\b|<any>|@ts-(?:ignore|nocheck|expect-error)/, from, "switches the type check off"),
    ),
    wrong: [
      [file("src/base/a.ts", "const a = b as any;")],
      [file("src/base/a.ts", "// @ts-ignore\nf();")],
      [file("tests/a.test.ts", "// @ts-expect-error\nf();")],
    ],
    right: [[file("src/base/a.ts", "const company = b as Company;")]],
  },
  {
    name: "the linter is silenced only with a reason",
    instead: "oxlint-disable-next-line rule -- reason",
    find: inCode((from) =>
      linesThat(
        /(?:oxlint|eslint)-disable(?!-next-line [\w/@-]+(?:, [\w/@-]+)* -- \w+)/,
        from,
        "silences the linter without a reason, or for a whole file",
      ),
    ),
    wrong: [
      [file("src/base/a.ts", "// oxlint-disable-next-line no-shadow")],
      [file("src/base/a.ts", "/* eslint-disable */")],
    ],
    right: [[file("src/base/a.ts", "// oxlint-disable-next-line no-shadow -- the inner one is meant")]],
  },
  {
    name: "every test runs",
    instead: "mend the test or delete it; a slow lab test looks at HOLDFAST_TEST_ALL",
    find: inTests((from) =>
      linesThat(
        /\b(?:test|it|describe|suite|t|context)\.(?:skip|only|todo)\b|\b(?:skip|only|todo): ?(?:true|["'`])/,
        from,
        "leaves tests out",
      ),
    ),
    wrong: [
      [file("src/base/a.test.ts", 'test.skip("a", () => {});')],
      [file("src/base/a.test.ts", 'describe.only("a", () => {});')],
      [file("tests/lab/a.lab.ts", 'test("a", { skip: "slow" }, () => {});')],
      [file("src/base/a.test.ts", 'test("a", (t) => t.skip());')],
    ],
    right: [[file("src/base/a.test.ts", 'test("skipped steps are shown", () => {});')]],
  },
  {
    name: "nothing is left for later in the code",
    instead: "do it now, or open an issue",
    find: inCode((from) => linesThat(/\b(?:TODO|FIXME|XXX|HACK)\b/, from, "left for later")),
    wrong: [[file("src/base/a.ts", "// TODO: later")], [file("scripts/a.ts", "/* FIXME */")]],
    right: [[file("src/base/a.ts", "const todos = 1;")]],
  },
  {
    name: `a file has at most ${LINES_MAX} lines`,
    instead: "find the second idea in it and give that a file of its own",
    find: inCode(({ path, text }) => {
      const lines = text.split("\n").length - 1;
      return lines > LINES_MAX ? [{ path, what: `${lines} lines` }] : [];
    }),
    wrong: [[file("src/base/a.ts", "x\n".repeat(LINES_MAX + 1))]],
    right: [[file("src/base/a.ts", "x\n".repeat(LINES_MAX))]],
  },
  {
    name: "what decides has a test beside it",
    instead:
      "test it from its own folder, best in x.test.ts beside x.ts; or enter the file into NO_TEST_BESIDE with the reason",
    find: untested,
    wrong: [
      [file("src/plan/a.ts", "export function a() {}")],
      [file("src/lvm/a.ts", "export const a = (b: number) => b;")],
      [file("src/lvm/a.ts", "export async function a() {}"), file("src/lvm/a.test.ts", "")],
      [file("src/lvm/a.ts", "export function a() {}"), file("src/nfs/b.test.ts", 'import { a } from "../lvm/a.ts";')],
    ],
    right: [
      [file("src/plan/a.ts", "export function a() {}"), file("src/plan/b.test.ts", 'import { a } from "./a.ts";')],
      [
        file("src/plan/a.ts", "export function a() {}"),
        file("src/plan/b.ts", 'import { a } from "./a.ts";\nexport function b() {}'),
        file("src/plan/b.test.ts", 'import { b } from "./b.ts";'),
      ],
      [file("src/wire/a.ts", "export interface A { readonly b: number }")],
      [file("src/base/a.ts", "export const TABLE = { a: 1 };")],
    ],
  },
  {
    name: "no state in modules",
    instead: "hold it in a record that the caller owns and hands in",
    find: (files) =>
      files
        .filter(({ path }) => isSource(path))
        .flatMap((from) => linesThat(/^(?:export )?(?:let|var) /, from, "mutable at module level")),
    wrong: [[file("src/base/a.ts", "let a = 1;")], [file("src/agent/a.ts", "export let a = 1;")]],
    right: [[file("src/base/a.ts", "function f() {\n  let a = 1;\n}")]],
  },
  {
    name: "no test is faster or slower with the machine",
    instead: "hand in a Clock that the test moves; only a lower bound (>=) may look at the real one",
    find: (files) =>
      files
        .filter(({ path }) => path.endsWith(".test.ts") && !isTidyItself(path))
        .flatMap((from) =>
          linesThat(
            /\bDate\.now\(|\bnew Date\(\)|\bprocess\.hrtime|\bperformance\.now\(\) - (?!.*>=)/,
            from,
            "measures with the real clock",
          ),
        ),
    wrong: [
      [file("src/base/a.test.ts", "const t = Date.now();\nf();\nassert.ok(Date.now() - t < 50);")],
      [file("src/base/a.test.ts", "assert.ok(performance.now() - startedMs < 50);")],
      [file("src/base/a.test.ts", "const tookMs = performance.now() - startedMs;\nassert.ok(tookMs < 50);")],
    ],
    right: [
      [file("src/base/a.test.ts", "const day = new Date(0);")],
      [file("src/base/a.test.ts", 'assert.ok(performance.now() - startedMs >= 20, "came early");')],
      [file("tests/lab/a.lab.ts", "const tookMs = performance.now() - startedMs;")],
    ],
  },
  {
    name: "no licence headers",
    instead: "LICENSE at the root speaks for every file",
    find: inCode((from) =>
      linesThat(/SPDX-License|Licensed under the|Copyright (?:\(c\) )?\d/i, from, "licence header"),
    ),
    wrong: [
      [file("src/base/a.ts", "// SPDX-License-Identifier: Apache-2.0")],
      [file("src/base/a.ts", "/* Copyright 2026 X */")],
    ],
    right: [[file("src/base/a.ts", "// the licence of the tool")]],
  },
];
