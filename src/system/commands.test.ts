/** The door itself, with real programs: nsenter without a namespace only starts what it is given. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Fault } from "../base/fault.ts";
import { commandLine, runChecked, systemCommands, type Command } from "./commands.ts";
import { toolPath } from "./tools.ts";

const commands = systemCommands({ timeScale: 1 });

function start(args: readonly string[], more: Partial<Command> = {}): Command {
  return { tool: "nsenter", args: ["--", ...args], timeoutMs: 10_000, ...more };
}

function faultWith(code: string): (error: unknown) => boolean {
  return (error) => error instanceof Fault && error.code === code;
}

describe("systemCommands", () => {
  test("gives status and both outputs, whatever the status", async () => {
    const result = await commands.run(start(["/bin/sh", "-c", "echo out; echo err >&2; exit 3"]));
    assert.deepEqual(result, { status: 3, stdout: "out\n", stderr: "err\n" });
  });

  test("hands the input over, and copes with a program that does not read it", async () => {
    const input = "x".repeat(1_000_000);
    assert.equal((await commands.run(start(["/bin/cat"], { input }))).stdout, input);
    assert.equal((await commands.run(start(["/bin/true"], { input }))).status, 0);
  });

  test("no shell reads the arguments", async () => {
    const result = await commands.run(start(["/bin/echo", "$HOME; false", "`id`"]));
    assert.equal(result.stdout, "$HOME; false `id`\n");
  });

  test("the environment holds a locale and a path and nothing else", async () => {
    const { stdout } = await commands.run(start(["/usr/bin/env"]));
    const names = stdout
      .trim()
      .split("\n")
      .map((line) => line.split("=")[0]);
    assert.deepEqual(new Set(names), new Set(["LC_ALL", "PATH"]));
  });

  test("past its bound the whole group ends, children too", { timeout: 5000 }, async () => {
    // A child that lived on would hold the pipe, and the run would end only with it.
    const children = start(["/bin/sh", "-c", "sleep 30 & sleep 30"], { timeoutMs: 50 });
    await assert.rejects(commands.run(children), faultWith("command-timed-out"));
  });

  test("the time scale stretches the bound", async () => {
    const slow = systemCommands({ timeScale: 1000 });
    assert.equal((await slow.run(start(["/bin/sleep", "0.05"], { timeoutMs: 10 }))).status, 0);
  });

  test("endless output is cut off", async () => {
    await assert.rejects(commands.run(start(["/usr/bin/yes"])), faultWith("command-output-too-large"));
  });

  test("a program ended by a signal is a fault, not a status", async () => {
    await assert.rejects(commands.run(start(["/bin/sh", "-c", "kill -9 $$"])), faultWith("command-killed"));
  });
});

test("runChecked turns a bad status into a fault that carries what the program said", async () => {
  await assert.rejects(
    runChecked(commands, start(["/bin/sh", "-c", "echo no such volume >&2; exit 5"])),
    (error) =>
      faultWith("command-failed")(error) && /ended with status 5: no such volume/.test((error as Fault).message),
  );
});

test("a command is shown by its tool's name, and started by its absolute path", () => {
  assert.equal(commandLine({ tool: "ip", args: ["link", "show"] }), "ip link show");
  assert.equal(toolPath("ip"), "/usr/sbin/ip");
});
