import assert from "node:assert/strict";
import { test } from "node:test";
import { isNullReply, nullCall } from "./rpc-null.ts";

test("the call, byte for byte", () => {
  assert.equal(
    nullCall(0xfffffffe).toString("hex"),
    "80000028fffffffe0000000000000002000186a3000000030000000000000000000000000000000000000000",
  );
});

test("a reply is known by its xid as soon as it has one", () => {
  const reply = Buffer.from("80000018000000070000000100000000000000000000000000000000", "hex");
  assert.equal(isNullReply(reply, 7), true);
  assert.equal(isNullReply(reply, 8), false);
  assert.equal(isNullReply(nullCall(7), 7), false);
  assert.equal(isNullReply(reply.subarray(0, 11), 7), undefined);
});
