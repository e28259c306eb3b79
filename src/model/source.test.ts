import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { locate, readSource, TEXT_BYTES_MAX } from "./source.ts";

function refusal(text: string): readonly string[] {
  const result = readSource(text);
  assert.equal(result.ok, false, "was taken");
  return result.findings.map((finding) => `${finding.line}:${finding.column} ${finding.code}`);
}

describe("reading a text", () => {
  test("gives plain values, each with its place", () => {
    const result = readSource("a: 1\nb:\n  - x\n  - { c: true, d: }\n");
    assert.ok(result.ok);
    assert.deepEqual(result.source.value, { a: 1, b: ["x", { c: true, d: null }] });
    assert.deepEqual(locate(result.source, ["b", 1, "c"]).place.at, { line: 4, column: 10 });
    assert.deepEqual(locate(result.source, ["b", 1, "c"]).place.keyAt, { line: 4, column: 7 });
    assert.deepEqual(locate(result.source, ["b", 1, "c", "deeper"]).path, ["b", 1, "c"]);
    assert.deepEqual(locate(result.source, ["nowhere"]).place.at, { line: 1, column: 1 });
  });

  test("words stay words: no, 010, a MAC address, a time", () => {
    const result = readSource("a: no\nb: 02:48:46:00:00:01\nc: 12:30\n");
    assert.ok(result.ok);
    assert.deepEqual(result.source.value, { a: "no", b: "02:48:46:00:00:01", c: "12:30" });
  });

  test("a key named __proto__ is a key like any other", () => {
    const result = readSource("__proto__: { polluted: 1 }\n");
    assert.ok(result.ok);
    assert.deepEqual(Object.keys(result.source.value as object), ["__proto__"]);
    assert.equal(({} as { polluted?: number }).polluted, undefined);
  });
});

describe("a text is refused, with its place,", () => {
  const cases: readonly (readonly [name: string, text: string, wanted: readonly string[]])[] = [
    ["that is not YAML", "a: [1\nb: 2\n", ["2:1 not-yaml"]],
    ["indented by tabs", "a:\n\tb: 1\n", ["2:1 not-yaml"]],
    ["of several documents", "a: 1\n---\nb: 2\n", ["2:1 not-yaml"]],
    ["with a key twice", "a: 1\nb: 2\na: 3\n", ["3:1 duplicate-key"]],
    ["with an anchor and an alias", "a: &x [1]\nb: *x\n", ["1:7 yaml-alias", "2:4 yaml-alias"]],
    ["with an alias as a key", "a: &x b\n? *x\n: 1\n", ["2:3 not-yaml"]],
    ["with a tag", "a: !!binary aGVsbG8=\n", ["1:13 yaml-tag"]],
    ["with a directive", "%YAML 1.1\n---\na: no\n", ["1:1 yaml-tag"]],
    ["with a NUL byte", "a: 1\nb: x\u0000y\n", ["2:5 spec-not-text"]],
    ["with a list as a key", "? [1]\n: 2\n", ["1:3 not-yaml"]],
  ];
  for (const [name, text, wanted] of cases) {
    test(name, () => assert.deepEqual(refusal(text), wanted));
  }

  test("that is too large, without reading it", () => {
    assert.deepEqual(refusal("[".repeat(TEXT_BYTES_MAX + 1)), ["1:1 spec-too-large"]);
  });

  test("that is nested too deep, in every style", () => {
    for (const text of [
      "[".repeat(5000),
      "{a: ".repeat(5000),
      "- ".repeat(5000),
      Array.from({ length: 300 }, (_, depth) => `${" ".repeat(depth)}a:`).join("\n"),
    ]) {
      assert.ok(refusal(text).some((line) => line.endsWith("yaml-too-deep") || line.endsWith("not-yaml")));
    }
    assert.match(refusal(`${"[".repeat(20)}${"]".repeat(20)}`).join(), /yaml-too-deep/);
  });

  test("that expands: a bomb of aliases", () => {
    const lines = ["a0: &a0 [x, x, x]"];
    for (let index = 1; index < 30; index += 1) lines.push(`a${index}: &a${index} [*a${index - 1}, *a${index - 1}]`);
    assert.ok(refusal(lines.join("\n")).every((line) => line.endsWith("yaml-alias")));
  });

  test("that holds too many values, told once", () => {
    const many = refusal(`a: [${"1,".repeat(60_000)}]`);
    assert.deepEqual(
      many.map((line) => line.split(" ")[1]),
      ["yaml-too-many"],
    );
  });
});
