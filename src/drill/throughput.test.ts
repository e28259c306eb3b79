import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { jobResult, JOBS, overallRatio } from "./throughput.ts";

test("a job's ratio is the median of its rounds' ratios, so that one slow round does not decide", () => {
  const job = { name: "create", unit: "operations/s" } as const;
  const result = jobResult(job, [
    { fileserver: 99, plain: 100 },
    { fileserver: 20, plain: 100 },
    { fileserver: 50, plain: 50 },
  ]);
  assert.deepEqual(result.ratios, [0.99, 0.2, 1]);
  assert.equal(result.ratio, 0.99);
  assert.equal(result.fileserver, 50);
});

test("the overall ratio is the geometric mean: twice as fast and half as fast are no difference", () => {
  const job = { name: "x", unit: "MB/s" } as const;
  const [slow, fast] = [jobResult(job, [{ fileserver: 1, plain: 2 }]), jobResult(job, [{ fileserver: 2, plain: 1 }])];
  assert.equal(overallRatio([slow, fast]), 1);
  assert.equal(overallRatio([]), 0);
});

test("the storm's scripts run, print a rate, and leave nothing", () => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-storm-"));
  try {
    for (const name of ["create", "stat", "unlink"]) {
      const script = JOBS.find((job) => job.name === name)?.script ?? "";
      const ran = spawnSync("sh", ["-s", "--", folder], { input: script.replace(/^sync; echo 3.*$/m, ":") });
      assert.equal(ran.status, 0, ran.stderr.toString());
      assert.ok(Number(ran.stdout.toString().trim()) > 10, `${name}: ${ran.stdout.toString()}`);
      if (name === "create") assert.equal(readdirSync(folder).length, 300);
    }
    assert.deepEqual(readdirSync(folder), []);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
