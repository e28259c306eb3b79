import assert from "node:assert/strict";
import { test } from "node:test";
import { AssertionError, assert as assertThat, defined, unreachable } from "./assert.ts";

test("a broken assertion throws an AssertionError that says what was broken", () => {
  assertThat(true, "holds");
  assert.throws(
    () => assertThat(false, "volume has a name"),
    (error) => error instanceof AssertionError && error.message === "volume has a name",
  );
});

test("defined lets every value through but undefined and null", () => {
  assert.equal(defined(0, "a"), 0);
  assert.equal(defined("", "a"), "");
  assert.equal(defined(false, "a"), false);
  assert.throws(() => defined(undefined, "the first node"), /the first node/);
  assert.throws(() => defined(null, "the first node"), /the first node/);
});

test("unreachable names the value that got there", () => {
  assert.throws(() => unreachable("fencing" as never), /"fencing"/);
});
