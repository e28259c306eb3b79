import assert from "node:assert/strict";
import { test } from "node:test";
import { recorded } from "../../tests/expected-commands.ts";
import { parseMountinfo } from "./mountinfo.ts";

test("mounts of a fileserver in service: its volume, and the part of it that clients see", () => {
  const mounts = parseMountinfo(recorded("linux/mountinfo-serving.txt"));
  assert.equal(mounts.length, 25);
  const device = { major: 253, minor: 0 };
  assert.deepEqual(
    mounts.filter((mount) => mount.filesystem === "xfs"),
    [
      { root: "/", path: "/run/holdfast/volumes/data", filesystem: "xfs", source: "/dev/dm-0", device },
      { root: "/export", path: "/export/data", filesystem: "xfs", source: "/dev/dm-0", device },
    ],
  );
  assert.deepEqual(mounts[0], {
    root: "/",
    path: "/",
    filesystem: "ext4",
    source: "/dev/vda",
    device: { major: 254, minor: 0 },
  });
});

test("space, tab and backslash in paths and sources", () => {
  const mounts = parseMountinfo(recorded("linux/mountinfo-escaped.txt"));
  assert.deepEqual(
    mounts.map((mount) => [mount.path, mount.source]),
    [
      ["/work/scratch/m p", "a b"],
      ["/work/scratch/m p/tab\tback\\slash", "none"],
    ],
  );
});

test("optional fields between the options and the dash do not shift the rest", () => {
  const [mount] = parseMountinfo(
    "36 35 98:0 /mnt1 /mnt2 rw,noatime shared:1 master:2 - ext3 /dev/root rw,errors=continue\n",
  );
  assert.deepEqual(mount, {
    root: "/mnt1",
    path: "/mnt2",
    filesystem: "ext3",
    source: "/dev/root",
    device: { major: 98, minor: 0 },
  });
});

test("nothing, and lines that are cut off", () => {
  assert.deepEqual(parseMountinfo(""), []);
  assert.deepEqual(parseMountinfo("36 35 98:0 /mnt1\n"), []);
});
