import assert from "node:assert/strict";
import { test } from "node:test";
import { existsFile, readText } from "./files.ts";

test("a file is there or not, and its text is nothing where it cannot be read", async () => {
  assert.equal(await existsFile(import.meta.filename), true);
  assert.equal(await existsFile("/nonexistent/file"), false);
  assert.match(await readText(import.meta.filename), /existsFile/);
  assert.equal(await readText("/nonexistent/file"), "");
});
