import assert from "node:assert/strict";
import { test } from "node:test";
import { servingNode } from "./placement.ts";
import type { Machines } from "./ports.ts";

const HOME = { name: "home", exportPath: "/export/data" };

function mountedOn(...nodes: readonly string[]): Machines {
  return {
    exec: async (machine) => ({ status: 0, stdout: nodes.includes(machine) ? "/proc/7/mountinfo\n" : "", stderr: "" }),
    copyTo: async () => undefined,
  };
}

test("the serving node is the one that has the export mounted", async () => {
  assert.equal(await servingNode(mountedOn("n2"), ["n1", "n2"], HOME), "n2");
});

test("served nowhere and mounted twice are faults", async () => {
  await assert.rejects(servingNode(mountedOn(), ["n1", "n2"], HOME), { code: "served-nowhere" });
  await assert.rejects(servingNode(mountedOn("n1", "n2"), ["n1", "n2"], HOME), { code: "mounted-twice" });
});
