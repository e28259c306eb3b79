import assert from "node:assert/strict";
import { test } from "node:test";
import { diskFaults, diskPlace } from "./disk-faults.ts";
import { labPaths } from "./paths.ts";

test("a LUN belongs to the storage machine, a machine's name stands for its system disk", () => {
  assert.deepEqual(diskPlace("lun1"), { machine: "st", node: "lun1" });
  assert.deepEqual(diskPlace("n1"), { machine: "n1", node: "system" });
});

test("a machine that is off has no disk faults", async () => {
  assert.equal(await diskFaults(labPaths("off", "/nonexistent"), "lun0"), undefined);
});
