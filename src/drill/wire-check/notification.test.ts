import assert from "node:assert/strict";
import { test } from "node:test";
import { smNotify, u32 } from "../capture/fake-frames.ts";
import { readNotification, readNotificationRecord } from "./notification.ts";

const read = (bytes: readonly number[]) => readNotification(Uint8Array.from(bytes));

test("the server's name, of any length, and its state number", () => {
  for (const name of ["home.lab.example", "home", "a", ""])
    assert.deepEqual(read(smNotify(name, 7)), { name, state: 7 });
});

test("a caller's credentials are passed over", () => {
  assert.deepEqual(read(smNotify("home", 7, 6, [1, 2, 3, 4, 5])), { name: "home", state: 7 });
});

test("over TCP it stands behind a record mark", () => {
  const record = Uint8Array.from([...u32(0x8000_0040), ...smNotify("home", 9)]);
  assert.deepEqual(readNotificationRecord(record), { name: "home", state: 9 });
  assert.equal(readNotification(record), undefined);
});

test("other procedures, programs, versions and replies are none", () => {
  assert.equal(read(smNotify("home", 7, 1)), undefined);
  for (const word of [1, 2, 3, 4]) {
    const call = [...smNotify("home", 7)];
    call[word * 4 + 3] = ((call[word * 4 + 3] ?? 0) + 1) & 0xff;
    assert.equal(read(call), undefined, `word ${word}`);
  }
});

test("what ends early, or claims to be longer than it may, is none", () => {
  const call = smNotify("home.lab.example", 7);
  for (let length = 0; length < call.length; length += 1) assert.equal(read(call.slice(0, length)), undefined);
  assert.equal(read(smNotify("x".repeat(1025), 7)), undefined);
  assert.equal(read([...call.slice(0, 28), ...u32(0xffff_ffff), ...call.slice(32)]), undefined);
});
