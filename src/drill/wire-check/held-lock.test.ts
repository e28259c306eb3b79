/** With real flock(1) and a local file: it behaves as a lock over NFS does for those who ask. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { ExecResult, Machines } from "../ports.ts";
import { holdLock } from "./held-lock.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-lock-"));
after(() => rmSync(folder, { recursive: true }));

const here: Machines = {
  exec: (_machine, [program = "", ...args], { input, timeoutMs }) =>
    new Promise<ExecResult>((resolve, reject) => {
      const child = spawn(program, args, { timeout: timeoutMs });
      let [stdout, stderr] = ["", ""];
      child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
      child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
      child.on("error", reject);
      child.on("close", (status) => resolve({ status: status ?? 255, stdout, stderr }));
      child.stdin.end(input);
    }),
  copyTo: () => Promise.reject(new Error("nothing is copied")),
};

/** The status of flock -n: 1 while somebody else holds it. */
function tryLock(file: string): number | null {
  return spawnSync("flock", ["-n", "-x", file, "true"]).status;
}

test("the lock is held until it is released, and the file goes with it", async () => {
  const file = join(folder, "a file");
  const lock = await holdLock(here, "c1", file);
  assert.equal(tryLock(file), 1);
  const kept = openSync(file, "r");
  await lock.release();
  assert.equal(existsSync(file), false);
  // The file has no name any more, the lock is on the file itself.
  assert.equal(spawnSync("flock", ["-w", "5", "-x", "3"], { stdio: ["ignore", "ignore", "ignore", kept] }).status, 0);
  closeSync(kept);
  await lock.release();
});

test("where it cannot be taken, nothing stays behind", async () => {
  await assert.rejects(holdLock(here, "c1", join(folder, "missing", "file")), /was not taken/);
});
