import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { writeProbeProgram } from "./program.ts";

test("the probe program is one file that runs by itself, and says how it is used", async () => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-program-"));
  try {
    const path = join(folder, "new/probe.mjs");
    await writeProbeProgram(path);
    const { status, stderr } = spawnSync(process.execPath, ["--no-warnings", path], { encoding: "utf8" });
    assert.equal(status, 2);
    assert.match(stderr, /^usage: probe run CONFIG\.json/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
