import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeCreate, encodeLookup, encodeMount, readCreate, readLookup, readMount } from "./nfs-calls.ts";
import { encodeLockRequest, encodeTestRequest, encodeUnlockRequest, readState } from "./nlm-calls.ts";
import { word } from "../../nfs/xdr.ts";

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ""), "hex"));
const same = (found: Uint8Array, wanted: string): void =>
  assert.equal(Buffer.from(found).toString("hex"), Buffer.from(bytes(wanted)).toString("hex"));

const HANDLE = Uint8Array.of(1, 2, 3, 4, 5);

test("MNT", () => {
  same(encodeMount("/export/data"), "0000000c 2f6578706f72742f64617461");
  assert.deepEqual(readMount(bytes("00000000 00000005 0102030405000000 00000001 00000001")), HANDLE);
  assert.throws(() => readMount(word(13)), { code: "nfs-refused", message: /MNT was answered with status 13/ });
});

test("LOOKUP", () => {
  same(encodeLookup(HANDLE, "a"), "00000005 0102030405000000 00000001 61000000");
  assert.deepEqual(readLookup(bytes("00000000 00000005 0102030405000000 00000000 00000000")), HANDLE);
  assert.throws(() => readLookup(word(2, 0)), { code: "nfs-refused" });
});

test("CREATE, unchecked, with a mode and nothing else", () => {
  same(
    encodeCreate(HANDLE, "a", 0o666),
    `00000005 0102030405000000 00000001 61000000
     00000000 00000001 000001b6 00000000 00000000 00000000 00000000 00000000`,
  );
  assert.deepEqual(readCreate(bytes("00000000 00000001 00000005 0102030405000000")), HANDLE);
  assert.equal(readCreate(word(0, 0)), undefined);
  assert.throws(() => readCreate(word(28)), { code: "nfs-refused" });
});

const LOCK = {
  caller: "crowd-1",
  handle: HANDLE,
  owner: Uint8Array.of(0x6f),
  processId: 1001,
  offset: 0n,
  length: 1n,
};
const LOCK_BYTES = `00000007 63726f77642d3100 00000005 0102030405000000 00000001 6f000000
  000003e9 0000000000000000 0000000000000001`;
const COOKIE = word(9);

test("NLM4_LOCK, as a new lock and as a reclaim", () => {
  const request = { cookie: COOKIE, lock: LOCK, reclaim: false, state: 1 };
  same(encodeLockRequest(request), `00000004 00000009 00000000 00000001 ${LOCK_BYTES} 00000000 00000001`);
  same(
    encodeLockRequest({ ...request, reclaim: true, state: 3 }),
    `00000004 00000009 00000000 00000001 ${LOCK_BYTES} 00000001 00000003`,
  );
});

test("NLM4_UNLOCK and NLM4_TEST", () => {
  same(encodeUnlockRequest(COOKIE, LOCK), `00000004 00000009 ${LOCK_BYTES}`);
  same(encodeTestRequest(COOKIE, LOCK), `00000004 00000009 00000001 ${LOCK_BYTES}`);
});

test("what lockd answers", () => {
  assert.equal(readState(bytes("00000004 00000009 00000000")), "granted");
  assert.equal(readState(bytes("00000004 00000009 00000004")), "denied-grace-period");
  // nlm4_testres: the holder follows.
  assert.equal(readState(bytes("00000004 00000009 00000001 00000001 000003e9 00000000")), "denied");
  assert.throws(() => readState(bytes("00000000 0000000a")), /nlm4_stats 10/);
  assert.throws(() => readState(bytes("00000004 00000009")), RangeError);
});
