/** Whatever the text: a spec or problems with their lines, never an exception. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SAMPLE_SPEC } from "../../tests/sample-spec.ts";
import { specHash } from "./derive.ts";
import { loadSpec, parseSpec } from "./load.ts";
import { PROBLEM_CODES } from "./problem-codes.ts";

const label = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}[a-z0-9]$/);

/** Some spec that ought to be valid, as an object; names and numbers vary, and which optional keys are given. */
const specs = fc
  .record({
    cluster: label,
    engine: fc.constantFrom("pacemaker", "standalone"),
    nodes: fc.uniqueArray(label, { minLength: 1, maxLength: 16 }),
    fileservers: fc.uniqueArray(label, { maxLength: 8 }),
    link: fc.constantFrom("macvlan", "ipvlan", undefined),
    protocols: fc.constantFrom(["v3"], ["v4"], ["v4", "v3"], undefined),
    failback: fc.constantFrom("manual", "never", { afterHealthyFor: "10m" }, undefined),
    leaseS: fc.option(fc.integer({ min: 10, max: 3600 }), { nil: undefined }),
    match: fc.constantFrom("10.77.0.0/24", "*", "c1", "*.lab.example", "@trusted", "fd77::/64"),
    options: fc.constantFrom(["rw"], [], ["rw", "no_root_squash"], ["ro", "all_squash", "anonuid=99"], undefined),
    gateway: fc.constantFrom("10.77.0.1", ["10.77.0.1", "fd77::1"], undefined),
  })
  .map((draw) => ({
    apiVersion: "holdfast/v1",
    cluster: {
      name: draw.cluster,
      engine: draw.engine,
      nodes: draw.nodes.map((name, index) => ({ name, addresses: [`10.77.0.${10 + index}`] })),
    },
    fileservers: draw.fileservers.map((name, index) => ({
      name,
      hostname: `h${index}.lab.example`,
      address: [`10.77.0.${50 + index}/24`, `fd77::${50 + index}/64`],
      gateway: draw.gateway,
      interface: "eth1",
      link: draw.link,
      protocols: draw.protocols,
      volumes: [
        { name: "data", device: `vg${index}/data`, filesystem: "xfs" },
        { name: "more", device: `/dev/disk/by-id/wwn-${index}`, filesystem: "ext4", mount: "/srv/more" },
      ],
      exports: [
        { path: "/export/data", volume: "data", clients: [{ match: draw.match, options: draw.options }] },
        { path: "/srv/more/sub", volume: "more", clients: [{ match: "10.77.0.21" }] },
      ],
      placement: { prefer: draw.nodes[0], failback: draw.failback },
      nfs: { lease: draw.leaseS },
    })),
  }));

/** JSON is YAML, and JSON.stringify leaves undefined keys out. */
const write = (spec: unknown): string => JSON.stringify(spec, null, 2);

test("every generated spec that ought to be valid is valid", () => {
  fc.assert(
    fc.property(specs, (spec) => {
      const parsed = parseSpec(write(spec));
      assert.deepEqual(parsed.ok ? [] : parsed.problems, []);
      assert.equal(specHash(loadSpec(write(spec), "a")), specHash(loadSpec(JSON.stringify(spec), "b")));
    }),
    { numRuns: 30 },
  );
});

function assertAnswer(text: string): void {
  const parsed = parseSpec(text);
  const lines = text.split("\n").length;
  if (parsed.ok) return;
  assert.ok(parsed.problems.length > 0, "refused without a problem");
  for (const problem of parsed.problems) {
    assert.ok(problem.line >= 1 && problem.line <= lines, `line ${problem.line} of ${lines}: ${problem.what}`);
    assert.ok(problem.column >= 1, `column ${problem.column}`);
    assert.ok(Object.hasOwn(PROBLEM_CODES, problem.code), problem.code);
    assert.ok(problem.what !== "" && problem.remedy !== "", problem.code);
  }
}

const hostile = fc.constantFrom<unknown>(
  null,
  true,
  0,
  -1,
  1e99,
  "",
  "x",
  "\u0000",
  "a b",
  "*",
  "&a",
  "../..",
  "10.0.0.1/24",
  [],
  {},
  [[]],
  [null],
  { a: 1 },
  { __proto__: 1 },
);

/** One value somewhere in the tree replaced, or one key renamed. */
function mutate(value: unknown, path: readonly number[], replacement: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined || typeof value !== "object" || value === null) return replacement;
  const keys = Object.keys(value);
  const key = keys[step % Math.max(keys.length, 1)];
  if (key === undefined) return replacement;
  const inner = mutate((value as Record<string, unknown>)[key], rest, replacement);
  if (Array.isArray(value)) return value.with(Number(key), inner);
  return { ...value, [key]: inner };
}

test("a valid spec with a value replaced is a spec or problems", () => {
  const path = fc.array(fc.nat(30), { minLength: 1, maxLength: 7 });
  fc.assert(
    fc.property(specs, path, fc.oneof(hostile, fc.jsonValue()), (spec, steps, replacement) => {
      assertAnswer(write(mutate(spec, steps, replacement)));
    }),
    { numRuns: 120 },
  );
});

test("the sample with characters cut, added or swapped is a spec or problems", () => {
  const pieces = fc.constantFrom(
    "",
    ":",
    "- ",
    "\n",
    "  ",
    "{",
    "}",
    "[",
    "]",
    '"',
    "&a ",
    "*a",
    "!t ",
    "\t",
    "#",
    "? ",
    "---\n",
    "\u0000",
    "|",
    ">",
    "%",
    "é",
  );
  fc.assert(
    fc.property(fc.nat(SAMPLE_SPEC.length), fc.nat(8), pieces, (at, cut, piece) => {
      assertAnswer(SAMPLE_SPEC.slice(0, at) + piece + SAMPLE_SPEC.slice(at + cut));
    }),
    { numRuns: 150 },
  );
});

test("any text at all is a spec or problems", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), assertAnswer), { numRuns: 150 });
});
