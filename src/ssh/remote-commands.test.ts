import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { expectCommands } from "../../tests/expected-commands.ts";
import { quoteForShell, remoteCommands, sshArgs } from "./remote-commands.ts";

describe("a program of another machine", () => {
  test("is run by its absolute path, with every word as it is", async () => {
    const door = expectCommands({
      run: "ssh -F my_config -T -o BatchMode=yes n1 -- LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin /usr/sbin/crm_resource --resource 'a b' '$(reboot)'",
      stdout: "done",
    });
    const remote = remoteCommands(door, { host: "n1", configPath: "my_config" });
    const result = await remote.run({
      tool: "crm_resource",
      args: ["--resource", "a b", "$(reboot)"],
      timeoutMs: 1000,
    });
    assert.equal(result.stdout, "done");
    door.assertAllRan();
  });

  test("may end with any status but ssh's own, which is a Fault", async () => {
    const call = {
      run: "ssh -T -o BatchMode=yes n1 -- LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin /usr/bin/cat x",
    };
    const command = { tool: "cat", args: ["x"], timeoutMs: 1000 } as const;
    const failing = remoteCommands(expectCommands({ ...call, status: 1 }), { host: "n1" });
    assert.equal((await failing.run(command)).status, 1);
    const away = remoteCommands(expectCommands({ ...call, status: 255, stderr: "no route" }), { host: "n1" });
    await assert.rejects(away.run(command), {
      code: "node-unreachable",
      message: /n1 cannot be reached by ssh: no route/,
    });
  });

  test("words are quoted only where they must be", () => {
    assert.equal(quoteForShell("/a/b-c.d"), "/a/b-c.d");
    assert.equal(quoteForShell("it's"), "'it'\\''s'");
    assert.equal(quoteForShell(""), "''");
    assert.deepEqual(sshArgs({ host: "n1" }), ["-T", "-o", "BatchMode=yes", "n1"]);
  });
});
