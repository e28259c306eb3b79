import assert from "node:assert/strict";
import { test } from "node:test";
import { logicalVolumeDevices, mountPattern, servingNode } from "./placement.ts";
import type { Machines } from "./ports.ts";

const HOME = {
  name: "home",
  host: "home.lab.example",
  exportPath: "/export/data",
  devices: logicalVolumeDevices("home", "data"),
};

function mountedOn(...nodes: readonly string[]): Machines {
  return {
    exec: async (machine, [program]) => ({
      status: 0,
      stdout: program === "readlink" ? "/dev/dm-0\n" : nodes.includes(machine) ? "/proc/7/mountinfo\n" : "",
      stderr: "",
    }),
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

test("two fileservers that export one path are told apart by their devices", () => {
  const line = (device: string): string =>
    `812 790 254:3 /export /export/data rw,relatime shared:1 - xfs ${device} rw,attr2,noquota`;
  const pattern = new RegExp(mountPattern(HOME));
  assert.match(line("/dev/mapper/home-data"), pattern);
  assert.match(line("/dev/home/data"), pattern);
  assert.doesNotMatch(line("/dev/mapper/media-data"), pattern);
  assert.doesNotMatch(line("/dev/mapper/home-data2"), pattern);
  assert.doesNotMatch(line("/dev/mapper/home-data").replace("/export/data", "/export/data/more"), pattern);
  assert.match(line("/dev/sdb"), new RegExp(mountPattern({ ...HOME, devices: [] })));
  assert.deepEqual(logicalVolumeDevices("nfs-shared", "home"), [
    "/dev/mapper/nfs--shared-home",
    "/dev/nfs-shared/home",
  ]);
});
