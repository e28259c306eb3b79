import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { headerLine, successLine } from "../samples.ts";
import { verifyWrites } from "./verify.ts";
import { openWork, readWork, WRITE_FILE, writeWork } from "./works.ts";

let directory = "";

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "holdfast-works-"));
});

afterEach(() => rmSync(directory, { recursive: true }));

function writeSome(count: number): string {
  const work = writeWork({ directory, client: 3, heldLocks: 0 });
  let log = headerLine({ kind: "write", intervalMs: 1, startUs: 0, wallMs: 0 });
  for (let round = 0; round < count; round += 1) log += successLine(round, 1, work.once());
  work.close();
  const path = join(directory, "write.log");
  writeFileSync(path, log);
  return path;
}

test("what was acknowledged is read back whole; what was cut away is missed", () => {
  const log = writeSome(6);
  const file = join(directory, WRITE_FILE);
  assert.deepEqual(verifyWrites({ file, log, client: 3 }), { acknowledged: 6, lost: [] });
  truncateSync(file, 4 * 4096);
  assert.deepEqual(verifyWrites({ file, log, client: 3 }).lost, [
    { sequence: 4, how: "absent" },
    { sequence: 5, how: "absent" },
  ]);
  assert.equal(verifyWrites({ file, log, client: 4 }).lost.length, 6);
});

test("the read probe sees content that is not what was written", () => {
  const work = readWork({ directory, client: 1, heldLocks: 0 });
  for (let round = 0; round < 5; round += 1) work.once();
  truncateSync(join(directory, "uncached.dat"), 0);
  assert.throws(() => work.once(), { code: "EWRONGCONTENT" });
  work.close();
});

test("the open probe makes a new file each round and keeps only the latest", () => {
  const work = openWork({ directory, client: 1, heldLocks: 0 });
  for (let round = 0; round < 20; round += 1) work.once();
  assert.equal(readdirSync(directory).length, 8);
  rmSync(directory, { recursive: true });
  assert.throws(() => work.once(), { code: "ENOENT" });
  work.close();
  writeSomeFolder();
});

/** afterEach wants a folder to take away. */
function writeSomeFolder(): void {
  directory = mkdtempSync(join(tmpdir(), "holdfast-works-"));
}
