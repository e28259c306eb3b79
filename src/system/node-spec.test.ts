import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "../base/fault.ts";
import { readNodeSpec } from "./node-spec.ts";

test("a spec that is not there is told with what to do; one that is, is read as it stands", async () => {
  assert.match(await readNodeSpec(import.meta.filename), /as it stands/);
  await assert.rejects(
    readNodeSpec("/nonexistent/holdfast.yaml"),
    (error: unknown) =>
      error instanceof Fault && error.code === "spec-unreadable" && /holdfast apply/.test(error.remedy ?? ""),
  );
});
