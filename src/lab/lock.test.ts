import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "../base/fault.ts";
import { withLabLock } from "./lock.ts";

test("one change of a lab at a time; another lab is another matter; the lock comes back after a failure", async () => {
  const lab = { sockets: `/tmp/hf-lock-test-${process.pid}` };
  const other = { sockets: `/tmp/hf-lock-test-other-${process.pid}` };
  await withLabLock(lab, async () => {
    await assert.rejects(
      withLabLock(lab, async () => assert.fail("two at once")),
      (error) => error instanceof Fault && error.kind === "refused" && error.code === "lab-busy",
    );
    assert.equal(await withLabLock(other, async () => "free"), "free");
  });
  await assert.rejects(
    withLabLock(lab, () => Promise.reject(new Error("inside"))),
    /inside/,
  );
  assert.equal(await withLabLock(lab, async () => "again"), "again");
});
