import assert from "node:assert/strict";
import { test } from "node:test";
import { formatPath, formatProblem, specFault, type SpecProblem } from "./problem.ts";

const problem: SpecProblem = {
  code: "wrong-value",
  path: "fileservers[0].link",
  line: 14,
  column: 7,
  what: 'the text "macvlam" is not one of macvlan, ipvlan',
  why: "the key means something",
  remedy: "did you mean macvlan?",
};

test("a problem is one line in the spec's own terms", () => {
  assert.equal(
    formatProblem("holdfast.yaml", problem),
    'holdfast.yaml:14:7  fileservers[0].link: the text "macvlam" is not one of macvlan, ipvlan. The key means something. Did you mean macvlan?',
  );
  assert.equal(
    formatProblem("a.yaml", { ...problem, path: "", why: "", what: "the file is empty." }),
    "a.yaml:14:7  the file is empty. Did you mean macvlan?",
  );
});

test("paths are written as people write them", () => {
  assert.equal(formatPath([]), "");
  assert.equal(formatPath(["fileservers", 0, "address", 1]), "fileservers[0].address[1]");
});

test("a fault tells the first twenty and counts the rest", () => {
  const one = specFault("a.yaml", [problem]);
  assert.equal(one.kind, "invalid");
  assert.equal(one.code, "invalid-spec");
  assert.match(one.message, /^a\.yaml is not a valid spec: 1 problem\n {2}a\.yaml:14:7 {2}fileservers/);
  const many = specFault(
    "a.yaml",
    Array.from({ length: 23 }, () => problem),
  );
  assert.match(many.message, /: 23 problems\n/);
  assert.match(many.message, /\n {2}and 3 more$/);
  assert.equal(many.message.split("\n").length, 22);
});
