import assert from "node:assert/strict";
import { test } from "node:test";
import { recorded } from "../../tests/expected-commands.ts";
import { parseProcLocks } from "./proc-locks.ts";

test("granted POSIX locks; waiting ones, flock's and open file descriptions' are left out", () => {
  const device = { major: 254, minor: 0 };
  assert.deepEqual(parseProcLocks(recorded("linux/locks.txt")), [
    { pid: 21570, device, inode: 5308552 },
    { pid: 21570, device, inode: 5308552 },
  ]);
});

test("an owner outside of this pid namespace is -1 and counts", () => {
  assert.deepEqual(parseProcLocks("1: POSIX  ADVISORY  WRITE -1 fd:1a:131 0 EOF\n"), [
    { pid: -1, device: { major: 253, minor: 26 }, inode: 131 },
  ]);
});

test("no locks", () => assert.deepEqual(parseProcLocks(""), []));
