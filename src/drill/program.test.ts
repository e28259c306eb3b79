import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock, waitFor } from "../system/clock.ts";
import { STATUS_FILE, type CrowdConfig, type CrowdStatus } from "./crowd/config.ts";
import { writeCrowdProgram, writeProbeProgram } from "./program.ts";

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

test("the crowd's program runs by itself, tells how it is, and ends when it is told to", async () => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-program-"));
  const base = 30_000 + (process.pid % 20_000);
  const config: CrowdConfig = {
    host: "127.0.0.1",
    addresses: ["127.77.1.1"],
    exportPath: "/export/data",
    directory: "holdfast-drill",
    session: "test",
    folder,
    sourcePorts: [base + 10, base + 200],
    // Nobody listens there.
    serverPortmapPort: base + 2,
    ownPortmapPort: base,
    notifyPort: base + 1,
    aliveIntervalMs: 1_000,
    atOnce: 1,
    retryMs: 20,
  };
  try {
    const path = join(folder, "crowd.mjs");
    await writeCrowdProgram(path);
    writeFileSync(join(folder, "config.json"), JSON.stringify(config));
    const child = spawn(process.execPath, ["--no-warnings", path, join(folder, "config.json")], { stdio: "ignore" });
    const ended = once(child, "exit");
    const bound = { what: "its status", timeoutMs: 20_000, intervalMs: 50 };
    const status = await waitFor(systemClock, bound, async () => {
      try {
        return JSON.parse(readFileSync(join(folder, STATUS_FILE), "utf8")) as CrowdStatus;
      } catch {
        return undefined;
      }
    });
    child.kill("SIGTERM");
    await ended;
    assert.equal(status?.members[0]?.phase, "starting");
    assert.match(status.members[0].trouble, /ECONNREFUSED/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
