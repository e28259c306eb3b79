/** With real processes: each is started here and ended by its pid. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Fault } from "../base/fault.ts";
import { systemClock, waitFor } from "./clock.ts";
import { isRunning, listProcesses, runAttached, signalProcess, startDaemon, type RunningProcess } from "./processes.ts";

const ENDED = { what: "the end of the process", timeoutMs: 5000, intervalMs: 5 };

async function find(pid: number): Promise<RunningProcess | undefined> {
  return (await listProcesses()).find((running) => running.pid === pid);
}

describe("a daemon", () => {
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "holdfast-processes-"));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test("runs, is found with its arguments, and ends by its signal", async () => {
    const logFile = join(folder, "log");
    // A name with a parenthesis and a space in it: the second field of /proc/PID/stat.
    const args = ["-c", 'echo started; exec -a "x) y" sleep 60'];
    const pid = await startDaemon({ program: "/bin/bash", args, logFile });
    const running = await waitFor(systemClock, ENDED, async () => {
      const found = await find(pid);
      return found?.argv[0] === "x) y" ? found : undefined;
    });
    assert.ok(running !== undefined);
    assert.deepEqual(running.argv, ["x) y", "60"]);
    assert.equal(readFileSync(logFile, "utf8"), "started\n");
    assert.equal(await isRunning(running), true);
    assert.equal(await signalProcess(running, "SIGKILL"), true);
    const gone = await waitFor(systemClock, ENDED, async () => ((await isRunning(running)) ? undefined : true));
    assert.equal(gone, true);
    assert.equal(await signalProcess(running, "SIGKILL"), false);
  });

  test("that cannot be started is a fault", async () => {
    await assert.rejects(
      startDaemon({ program: "/nonexistent/program", args: [], logFile: join(folder, "log") }),
      (error) => error instanceof Fault && error.code === "command-not-started",
    );
  });
});

test("another process with the same number is not taken for the one that was meant", async () => {
  const self = await find(process.pid);
  assert.ok(self !== undefined);
  const earlier = { ...self, startTicks: String(Number(self.startTicks) - 1) };
  assert.equal(await isRunning(self), true);
  assert.equal(await isRunning(earlier), false);
  assert.equal(await signalProcess(earlier, "SIGKILL"), false);
});

test("runAttached passes the exit status through", async () => {
  assert.equal(await runAttached("/bin/true", []), 0);
  assert.equal(await runAttached("/bin/sh", ["-c", "exit 7"]), 7);
  assert.equal(await runAttached("/bin/sh", ["-c", "kill -9 $$"]), 255);
});
