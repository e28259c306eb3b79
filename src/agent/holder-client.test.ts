/** The agent's end against the real script under /bin/sh, in a folder of its own and without namespaces. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { Fault } from "../base/fault.ts";
import { HOLDER_FILES, HOLDER_SCRIPT, type HolderCommand } from "../linux/holder.ts";
import { systemClock, waitFor } from "../system/clock.ts";
import { openHolder, runInside, saidBy, type HolderClient } from "./holder-client.ts";
import { hostCommands } from "./host-commands.ts";

const BOUND_MS = 20_000;
const SH = "/bin/sh";
/** Prints each of its words in brackets on a line of its own. */
const SHOW: HolderCommand = [SH, "-c", 'for word; do printf "[%s]\\n" "$word"; done', "show"];

function hasCode(code: string) {
  return (error: unknown): boolean => error instanceof Fault && error.code === code;
}

async function startScript(folder: string): Promise<ChildProcess> {
  const script = join(folder, "holder.sh");
  writeFileSync(script, HOLDER_SCRIPT);
  const child = spawn(SH, [script, folder], { stdio: "ignore" });
  const pidFile = join(folder, HOLDER_FILES.pid);
  const bound = { what: "the holder", timeoutMs: BOUND_MS, intervalMs: 2 };
  const started = await waitFor(systemClock, bound, () =>
    Promise.resolve(readIfThere(pidFile) === `${child.pid}\n` || undefined),
  );
  assert.ok(started, "the script says its own process id");
  return child;
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}

describe("a holder", () => {
  let folder = "";
  let script: ChildProcess;
  let holder: HolderClient;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "holdfast-holder-"));
    script = await startScript(folder);
    holder = openHolder(folder);
  });
  after(async () => {
    holder.close();
    await stop(script);
    rmSync(folder, { recursive: true, force: true });
  });

  test("commands run in order; what they say is kept apart", async () => {
    const result = await holder.run(
      [
        ["/bin/echo", "one"],
        [SH, "-c", "echo problem >&2"],
        ["/bin/echo", "two"],
      ],
      BOUND_MS,
    );
    assert.deepEqual(result, { status: 0, stdout: "one\ntwo\n", stderr: "problem\n" });
  });

  test("the first failure ends the request, with its status", async () => {
    const result = await holder.run(
      [
        ["/bin/echo", "one"],
        [SH, "-c", "exit 7"],
        ["/bin/echo", "never"],
      ],
      BOUND_MS,
    );
    assert.deepEqual([result.status, result.stdout], [7, "one\n"]);
    assert.equal((await holder.run([["/no/such/program"]], BOUND_MS)).status, 127);
  });

  test("words arrive as they were sent", async () => {
    const words = [
      "a b",
      " lead",
      "trail ",
      "'",
      '"',
      "$HOME",
      "$(id)",
      "`id`",
      "*",
      ";x",
      "x;",
      "&",
      "|",
      "\\",
      "\\n",
      "-n",
      "",
      "\t",
      "é",
      "#",
      "~",
      ">f",
    ];
    const result = await holder.run([[...SHOW, ...words]], BOUND_MS);
    assert.equal(result.stdout, words.map((word) => `[${word}]\n`).join(""));
  });

  test("any word arrives as it was sent", async () => {
    const words = fc.array(
      fc
        .string({ unit: "binary", maxLength: 12 })
        .filter((word) => word !== ";" && !/[\n\0]/.test(word) && word.isWellFormed()),
      { minLength: 1, maxLength: 30 },
    );
    await fc.assert(
      fc.asyncProperty(words, async (sent) => {
        const result = await holder.run([[...SHOW, ...sent]], BOUND_MS);
        assert.equal(result.stdout, sent.map((word) => `[${word}]\n`).join(""));
      }),
      { numRuns: 20 },
    );
  });

  test("write_file writes one line and says when it cannot; with_input gives a file as input", async () => {
    const file = join(folder, "a file");
    assert.equal((await holder.run([["write_file", file, "$x * 16"]], BOUND_MS)).status, 0);
    assert.equal(readFileSync(file, "utf8"), "$x * 16\n");
    const read = await holder.run([["with_input", file, "/bin/cat"]], BOUND_MS);
    assert.deepEqual([read.status, read.stdout], [0, "$x * 16\n"]);
    for (const command of [
      ["write_file", join(folder, "none", "file"), "x"],
      ["with_input", join(folder, "none"), "/bin/cat"],
    ])
      assert.notEqual((await holder.run([command], BOUND_MS)).status, 0);
  });

  test("a command has the holder's pipes neither as input nor open beside it", async () => {
    const result = await holder.run([["/bin/cat"], [SH, "-c", "ls -l /proc/self/fd"]], BOUND_MS);
    assert.equal(result.status, 0);
    const input = /\b0 -> (.*)/.exec(result.stdout)?.[1];
    assert.equal(input, "/dev/null");
    for (const name of [HOLDER_FILES.commands, HOLDER_FILES.answers, "request."])
      assert.ok(!result.stdout.includes(join(folder, name)), `${name} is open`);
  });

  test("background is not waited for", async () => {
    const gate = join(folder, "gate");
    const waits = `until [ -e '${gate}' ]; do sleep 0.01; done; : >'${gate}.through'`;
    assert.equal((await holder.run([["background", SH, "-c", waits]], BOUND_MS)).status, 0);
    await holder.run([["write_file", gate, ""]], BOUND_MS);
    const through = await waitFor(systemClock, { what: "the background", timeoutMs: BOUND_MS, intervalMs: 2 }, () =>
      Promise.resolve(readIfThere(`${gate}.through`)),
    );
    assert.equal(through, "");
  });

  test("several requests run at the same time, and each hears its own answer", async () => {
    const count = 8;
    // Each waits until all are there: one after the other they would never end.
    const meet = `: >'${folder}/met.'$1; until [ $(ls '${folder}' | grep -c '^met[.]') -eq ${count} ]; do sleep 0.01; done; echo $1; exit $1`;
    const results = await Promise.all(
      Array.from({ length: count }, (_, index) => holder.run([[SH, "-c", meet, "meet", String(index)]], BOUND_MS)),
    );
    assert.deepEqual(
      results,
      Array.from({ length: count }, (_, index) => ({ status: index, stdout: `${index}\n`, stderr: "" })),
    );
  });

  test("no request leaves a file behind", async () => {
    await holder.run([["/bin/true"]], BOUND_MS);
    assert.deepEqual(
      readdirSync(folder).filter((name) => /^(request|output|errors)\./.test(name)),
      [],
    );
  });

  test("a command that takes too long is given up; the holder goes on", async () => {
    const gate = join(folder, "slow");
    await assert.rejects(
      holder.run([[SH, "-c", `until [ -e '${gate}' ]; do sleep 0.01; done`]], 5),
      hasCode("holder-timed-out"),
    );
    assert.match(holder.overdue().join(), /until \[ -e/);
    const files = (): readonly string[] => readdirSync(folder).filter((name) => name.startsWith("output."));
    assert.equal(files().length, 1);
    writeFileSync(gate, "");
    assert.equal((await holder.run([["/bin/echo", "on"]], BOUND_MS)).stdout, "on\n");
    // It is overdue until it has ended, and no longer.
    const bound = { what: "its end", timeoutMs: BOUND_MS, intervalMs: 2 };
    const ended = await waitFor(systemClock, bound, () => Promise.resolve(holder.overdue().length === 0 || undefined));
    assert.deepEqual([ended, files()], [true, []]);
  });

  test("it outlives the agent: another one goes on, and does not take an old answer for its own", async () => {
    const gate = join(folder, "old");
    const old = holder;
    const left = old.run([[SH, "-c", `until [ -e '${gate}' ]; do sleep 0.01; done; exit 9`]], 5);
    await assert.rejects(left, hasCode("holder-timed-out"));
    // One agent at a time: two that read from one pipe would take each other's answers.
    old.close();
    // As a kill -9 leaves them.
    for (const name of ["request.dead-0", "output.dead-0", "errors.dead-0"]) writeFileSync(join(folder, name), "");
    holder = openHolder(folder);
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.includes("dead")),
      [],
    );
    writeFileSync(gate, "");
    for (const turn of [0, 1, 2]) assert.equal((await holder.run([[SH, "-c", `exit ${turn}`]], BOUND_MS)).status, turn);
  });

  test("as the door for the node's own tools", async () => {
    const commands = await hostCommands(() => Promise.resolve(holder), 1);
    const result = await commands.run({
      tool: "sh",
      args: ["-c", "echo out; echo err >&2; exit 6"],
      timeoutMs: BOUND_MS,
    });
    assert.deepEqual(result, { status: 6, stdout: "out\n", stderr: "err\n" });
    await assert.rejects(
      commands.run({ tool: "sh", args: ["-c", "sleep 0.05"], timeoutMs: 1 }),
      hasCode("command-timed-out"),
    );
  });

  test("runInside: the output of what succeeds, a Fault with the program's words of what does not", async () => {
    assert.equal(await runInside(holder, [["/bin/echo", "yes"]], BOUND_MS), "yes\n");
    await assert.rejects(runInside(holder, [[SH, "-c", "echo too bad >&2; exit 3"]], BOUND_MS), /status 3: too bad/);
  });
});

test("a dead holder is noticed at once", async () => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-holder-"));
  const script = await startScript(folder);
  const holder = openHolder(folder);
  await stop(script);
  await assert.rejects(holder.run([["/bin/true"]], BOUND_MS), hasCode("holder-gone"));
  holder.close();
  rmSync(folder, { recursive: true, force: true });
});

test("what a failed program said: its errors before its output, bounded", () => {
  assert.equal(saidBy({ status: 1, stdout: "out", stderr: " err\n" }), "err");
  assert.equal(saidBy({ status: 1, stdout: "out\n", stderr: "" }), "out");
  assert.equal(saidBy({ status: 1, stdout: "", stderr: "" }), "no output");
  assert.equal(saidBy({ status: 1, stdout: "", stderr: "x".repeat(10_000) }).length, 2_000);
});
