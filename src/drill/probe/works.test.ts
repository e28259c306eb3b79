import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { parseAcknowledged, verifyWrites } from "./verify.ts";
import { openWork, readWork, WRITE_FILE, writeWork } from "./works.ts";

let directory = "";

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "holdfast-works-"));
});

afterEach(() => rmSync(directory, { recursive: true }));

function writeSome(rounds: number, recordsPerRound: number): void {
  const work = writeWork({ directory, client: 3, heldLocks: 0, recordsPerRound });
  for (let round = 1; round <= rounds; round += 1) {
    assert.deepEqual(work.once(), { sequence: round * recordsPerRound - 1, records: recordsPerRound });
  }
  work.close();
}

test("what was acknowledged is read back whole; what was cut away is missed", () => {
  writeSome(3, 2);
  const file = join(directory, WRITE_FILE);
  const acknowledged = parseAcknowledged("0 1\n2 5\n");
  assert.deepEqual(verifyWrites({ file, client: 3, acknowledged }), { acknowledged: 6, lost: [] });
  truncateSync(file, 4 * 4096);
  assert.deepEqual(verifyWrites({ file, client: 3, acknowledged }).lost, [
    { sequence: 4, how: "absent" },
    { sequence: 5, how: "absent" },
  ]);
  assert.equal(verifyWrites({ file, client: 4, acknowledged }).lost.length, 6);
});

test("more records than one read brings are each looked for in their own place", () => {
  writeSome(10, 32);
  const file = join(directory, WRITE_FILE);
  const acknowledged = Array.from({ length: 321 }, (_, sequence) => sequence);
  assert.deepEqual(verifyWrites({ file, client: 3, acknowledged }).lost, [{ sequence: 320, how: "absent" }]);
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
