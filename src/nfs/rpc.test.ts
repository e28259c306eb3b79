import assert from "node:assert/strict";
import { test } from "node:test";
import {
  encodeCall,
  encodePort,
  encodePortQuestion,
  encodeRecord,
  encodeReply,
  GET_PORT,
  openRecordReader,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  readCall,
  readPort,
  readPortQuestion,
  readReply,
} from "./rpc.ts";
import { join, word } from "./xdr.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ""), "hex"));

const QUESTION = { program: 100_024, version: 1, protocol: PROTOCOL_UDP };

test("a call with no credential: GETPORT as sm-notify sends it", () => {
  const call = encodeCall({ xid: 0x11223344, ...GET_PORT, body: encodePortQuestion(QUESTION) });
  assert.equal(
    hex(call),
    hex(
      bytes(`11223344 00000000 00000002 000186a0 00000002 00000003
             00000000 00000000 00000000 00000000
             000186b8 00000001 00000011 00000000`),
    ),
  );
  const read = readCall(call);
  assert.deepEqual([read?.xid, read?.program, read?.version, read?.procedure], [0x11223344, 100_000, 2, 3]);
  assert.deepEqual(readPortQuestion(read?.body ?? new Uint8Array()), QUESTION);
});

test("a call of a user", () => {
  const call = encodeCall(
    { xid: 1, program: 100_003, version: 3, procedure: 0, body: word() },
    { machine: "crowd-1", uid: 65_534, gid: 65_534 },
  );
  assert.equal(
    hex(call),
    hex(
      bytes(`00000001 00000000 00000002 000186a3 00000003 00000000
             00000001 0000001c 00000000 00000007 63726f77642d3100 0000fffe 0000fffe 00000000
             00000000 00000000`),
    ),
  );
  assert.equal(readCall(call)?.body.length, 0);
});

test("replies: a result, a refusal, a denial", () => {
  const reply = encodeReply(5, encodePort(4001));
  assert.equal(hex(reply), hex(bytes("00000005 00000001 00000000 00000000 00000000 00000000 00000fa1")));
  const read = readReply(reply);
  assert.ok("body" in read);
  assert.deepEqual([read.xid, readPort(read.body)], [5, 4001]);
  assert.deepEqual(readReply(word(5, 1, 0, 0, 0, 3)), { xid: 5, failure: "PROC_UNAVAIL" });
  assert.deepEqual(readReply(word(5, 1, 1, 1, 7)), { xid: 5, failure: "AUTH_ERROR 7" });
  assert.deepEqual(readReply(word(5, 1, 1, 0, 2, 2)), { xid: 5, failure: "RPC_MISMATCH" });
  assert.throws(() => readReply(word(5, 1)), RangeError);
});

test("what is no call is none", () => {
  for (const wrong of [word(1, 1, 2), word(1, 0, 3, 0, 0, 0, 0, 0, 0, 0), word(1, 0), new Uint8Array()])
    assert.equal(readCall(wrong), undefined);
});

test("records come out whole, however the stream is cut", () => {
  const messages = [word(1), word(2, 3), new Uint8Array([1, 2, 3])];
  const stream = join(...messages.map((message) => encodeRecord(message)));
  assert.equal(hex(stream.subarray(0, 8)), "8000000400000001");
  for (let size = 1; size <= stream.length; size += 1) {
    const reader = openRecordReader();
    const read: Uint8Array[] = [];
    for (let at = 0; at < stream.length; at += size) read.push(...reader.push(stream.subarray(at, at + size)));
    assert.deepEqual(read, messages);
  }
});

test("fragments are put together, and what is no record is told", () => {
  const fragments = join(bytes("00000002 aabb"), bytes("80000001 cc"));
  assert.deepEqual(openRecordReader().push(fragments), [Uint8Array.of(0xaa, 0xbb, 0xcc)]);
  assert.throws(() => openRecordReader().push(Buffer.from("HTTP/1.1 200")), RangeError);
});

test("a port over TCP is asked for as such", () => {
  assert.equal(
    hex(encodePortQuestion({ program: 100_021, version: 4, protocol: PROTOCOL_TCP })),
    "000186b5000000040000000600000000",
  );
});
