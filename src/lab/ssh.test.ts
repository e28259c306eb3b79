import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createServer, type AddressInfo } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { Fault } from "../base/fault.ts";
import type { Command, Commands } from "../system/commands.ts";
import { quoteForShell, sshConfigText, sshExec, sshGreets } from "./ssh.ts";

test("the configuration names each machine's port, and keeps its sockets in the short folder", () => {
  const text = sshConfigText(
    { sockets: "/tmp/hf-0" },
    [
      { name: "n1", port: 40001 },
      { name: "c1", port: 40002 },
    ],
    "/cache/key",
  );
  assert.match(text, /^Host n1\n {2}Port 40001$/m);
  assert.match(text, /^Host c1\n {2}Port 40002$/m);
  assert.match(text, /^ {2}ControlPath "\/tmp\/hf-0\/ssh-%n"$/m);
  assert.match(text, /^ {2}IdentityFile "\/cache\/key"$/m);
});

test("words reach the remote shell unchanged", () => {
  const word = fc.string({ unit: fc.constantFrom("a", "'", '"', "$", " ", "\n", "\\", ";", "*", "-", "`", "!") });
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 4 }), (words) => {
      const line = `printf '%s\\0' ${words.map(quoteForShell).join(" ")}`;
      assert.equal(
        execFileSync("/bin/sh", ["-c", line], { encoding: "utf8" }),
        words.map((each) => `${each}\0`).join(""),
      );
    }),
    { numRuns: 20 },
  );
});

function answering(status: number, stderr: string): { readonly commands: Commands; readonly asked: Command[] } {
  const asked: Command[] = [];
  return { asked, commands: { run: async (command) => (asked.push(command), { status, stdout: "", stderr }) } };
}

test("a program's exit status is a result, ssh's own failure a Fault", async () => {
  const { commands, asked } = answering(7, "");
  assert.equal((await sshExec(commands, "/lab/ssh_config", "n1", ["sh", "-c", "exit 7"], { input: "x" })).status, 7);
  assert.deepEqual(asked[0]?.args, ["-F", "/lab/ssh_config", "-T", "n1", "--", "sh -c 'exit 7'"]);
  assert.equal(asked[0]?.input, "x");
  await assert.rejects(
    sshExec(answering(255, "Connection refused").commands, "/c", "n1", ["true"]),
    (error) =>
      error instanceof Fault && error.code === "lab-machine-unreachable" && /Connection refused/.test(error.message),
  );
});

test("only an ssh server's greeting counts: a port that is open and silent does not", async (context) => {
  const listen = async (greeting: string): Promise<number> => {
    const server = createServer((socket) => socket.end(greeting));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    context.after(() => server.close());
    return (server.address() as AddressInfo).port;
  };
  assert.equal(await sshGreets(await listen("SSH-2.0-OpenSSH\r\n")), true);
  assert.equal(await sshGreets(await listen("")), false);
  assert.equal(await sshGreets(await listen("220 mail\r\n")), false);
});
