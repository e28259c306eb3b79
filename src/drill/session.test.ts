import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { localDrill } from "../../tests/local-drill.ts";
import { clearClient, parsePoll } from "./session.ts";

test("what a killed drill left is ended and taken away; a process that only has its number is not", async () => {
  const drill = await localDrill();
  const left = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)", "probe.mjs", "run", "config.json"]);
  try {
    const folder = join(drill.folder, "left behind");
    const pids = { killed: left.pid, reused: process.pid, ended: 4_194_304 };
    for (const [name, pid] of Object.entries(pids)) {
      mkdirSync(join(folder, name), { recursive: true });
      writeFileSync(join(folder, name, "pid"), `${pid}\n`);
    }
    const { world } = drill.fake(() => Promise.resolve());
    const ended = once(left, "exit");
    assert.deepEqual(await clearClient(world.machines, "c1", folder), [join(folder, "killed/pid")]);
    assert.deepEqual(await ended, [null, "SIGKILL"]);
    assert.deepEqual(readdirSync(folder), []);
    assert.deepEqual(await clearClient(world.machines, "c1", join(drill.folder, "no such folder")), []);
    assert.ok(!existsSync(join(drill.folder, "no such folder")));
  } finally {
    left.kill("SIGKILL");
    drill.remove();
  }
});

test("a poll's answer: the time, the end of the program, and the log as it is, a line under way left open", () => {
  const answer = "@now 12.34\n@alive\n@log\nhome-read s 1 2\nhome-re\n@end\n";
  assert.deepEqual(parsePoll(answer), { nowUs: 12_340_000, dead: undefined, text: "home-read s 1 2\nhome-re" });
  assert.deepEqual(parsePoll("@now 1\n@dead out of memory\n@log\n\n@end\n"), {
    nowUs: 1_000_000,
    dead: "out of memory",
    text: "",
  });
  assert.throws(() => parsePoll("ssh: no route"), { code: "poll-unreadable" });
});
