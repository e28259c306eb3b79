/** Looked at: this very process, which will do. */
import assert from "node:assert/strict";
import { mkdtempSync, openSync, closeSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { exists, holderPid, mapperDevice, mountsInside, openFiles, readOptional, scopeProcesses } from "./inside.ts";
import { exportedPath, holderFolder, HOST_HOLDER, scopeFolder, volumePath } from "./places.ts";

describe("looking at a process", () => {
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "hf-inside-"));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test("its mounts", async () => {
    const mounts = await mountsInside(process.pid);
    assert.ok(mounts.some((mount) => mount.path === "/"));
    assert.ok(mounts.some((mount) => mount.path === "/proc" && mount.filesystem === "proc"));
  });

  test("what it has open; of a process that is gone, nothing", async () => {
    const path = join(folder, "open");
    writeFileSync(path, "");
    const file = openSync(path, "r");
    assert.ok((await openFiles(process.pid)).includes(path));
    closeSync(file);
    assert.ok(!(await openFiles(process.pid)).includes(path));
    assert.deepEqual(await openFiles(0), []);
  });

  test("what is not there is told from what cannot be read", async () => {
    const file = join(folder, "file");
    writeFileSync(file, "text");
    assert.equal(await readOptional(file), "text");
    assert.equal(await readOptional(join(folder, "none")), undefined);
    assert.equal(await readOptional(join(file, "below")), undefined);
    await assert.rejects(readOptional(folder), /EISDIR/);
    assert.deepEqual([await exists(file), await exists(join(folder, "none"))], [true, false]);
  });
});

test("no scope: no processes, no holder", async () => {
  assert.deepEqual(await scopeProcesses("not-on-this-machine"), []);
  assert.equal(await holderPid("not-on-this-machine", []), undefined);
});

test("a device-mapper name that is not active has no device", async () => {
  assert.equal(await mapperDevice("hf--none-none"), undefined);
});

test("the node's own holder cannot be mistaken for a fileserver's, and clients never see the state folder", () => {
  assert.doesNotMatch(HOST_HOLDER, /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/);
  assert.notEqual(holderFolder(HOST_HOLDER), holderFolder("host"));
  assert.match(scopeFolder("home"), /holdfast\.slice\/holdfast-home\.scope$/);
  const volume = { name: "data" } as Parameters<typeof volumePath>[0];
  assert.equal(exportedPath(volume), `${volumePath(volume)}/export`);
});
