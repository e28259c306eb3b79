import assert from "node:assert/strict";
import { test } from "node:test";
import { nearest } from "./nearest.ts";

test("a slip finds the word that was meant", () => {
  const words = ["macvlan", "ipvlan", "hostname", "exports", "ro", "rw"];
  assert.equal(nearest("macvlam", words), "macvlan");
  assert.equal(nearest("hostnmae", words), "hostname");
  assert.equal(nearest("Export", words), "exports");
  assert.equal(nearest("rwx", words), "rw");
});

test("a word that is none of them finds nothing", () => {
  assert.equal(nearest("quota", ["macvlan", "hostname"]), undefined);
  assert.equal(nearest("x".repeat(10_000), ["x"]), undefined);
  assert.equal(nearest("name", []), undefined);
});
