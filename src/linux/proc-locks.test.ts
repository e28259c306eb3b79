import assert from "node:assert/strict";
import { test } from "node:test";
import { recorded } from "../../tests/expected-commands.ts";
import { lockKey, parseProcLocks } from "./proc-locks.ts";

test("granted POSIX locks; waiting ones, flock's and open file descriptions' are left out", () => {
  const file = { pid: 21570, device: { major: 254, minor: 0 }, inode: 5308552 };
  assert.deepEqual(parseProcLocks(recorded("linux/locks.txt")), [
    { ...file, kind: "READ", start: "20", end: "29" },
    { ...file, kind: "WRITE", start: "0", end: "9" },
  ]);
});

test("a node that serves: locks of lockd and of nfsd, delegations are none", () => {
  assert.deepEqual(
    parseProcLocks(recorded("linux/locks-serving.txt")).map((lock) => [lock.pid, lockKey(lock)]),
    [
      [611, "253-0:2097282:10:14"],
      [611, "253-0:2097282:0:0"],
      [596, "253-0:2097285:0:EOF"],
      [596, "253-0:2097284:100:109"],
    ],
  );
});

test("an owner outside of this pid namespace is -1 and counts", () => {
  assert.deepEqual(parseProcLocks("1: POSIX  ADVISORY  WRITE -1 fd:1a:131 0 EOF\n"), [
    { pid: -1, kind: "WRITE", device: { major: 253, minor: 26 }, inode: 131, start: "0", end: "EOF" },
  ]);
});

test("offsets keep all their digits: neighbours have different keys", () => {
  const keys = ["9223372036854775806", "9223372036854775807"].map((offset) =>
    parseProcLocks(`1: POSIX  ADVISORY  READ 7 08:01:5 ${offset} ${offset}\n`).map(lockKey),
  );
  assert.deepEqual(keys, [
    ["8-1:5:9223372036854775806:9223372036854775806"],
    ["8-1:5:9223372036854775807:9223372036854775807"],
  ]);
});

test("no locks", () => assert.deepEqual(parseProcLocks(""), []));
