import assert from "node:assert/strict";
import { test } from "node:test";
import { readText } from "./files.ts";

test("a file's text, and nothing where it cannot be read", async () => {
  assert.match(await readText(import.meta.filename), /readText/);
  assert.equal(await readText("/nonexistent/file"), "");
});
