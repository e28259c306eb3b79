import assert from "node:assert/strict";
import { test } from "node:test";
import { reservationKey } from "../model/derive.ts";
import { encodeRequest, parseReply } from "./generic.ts";
import { asPrinted, parseHolder, parseKeys, persistOut, readKeysCommand } from "./persistent-reserve.ts";

const hex = (buffer: Buffer | undefined): string => (buffer ?? Buffer.alloc(0)).toString("hex");

test("a derived key is compared in the form that sg_persist prints", () => {
  assert.equal(asPrinted(reservationKey("lead", "n1")), "0x8b4ae1b9f3c8cab6");
  assert.equal(asPrinted("00ab000000000000"), "0xab000000000000");
  assert.equal(asPrinted("0x0a"), "0xa");
});

test("PERSISTENT RESERVE OUT, byte by byte (SPC-4, tables 216 and 219)", () => {
  const register = persistOut("register-and-ignore", { other: "0xab" });
  assert.equal(hex(register.command), "5f060000000000001800");
  assert.equal(hex(register.send), `${"00".repeat(15)}ab${"00".repeat(4)}01${"00".repeat(3)}`);
  const preempt = persistOut("preempt-and-abort", { own: "0x1", other: "0x2" });
  assert.equal(hex(preempt.command), "5f050500000000001800");
  assert.equal(hex(preempt.send), `${"00".repeat(7)}01${"00".repeat(7)}02${"00".repeat(8)}`);
  assert.equal(hex(persistOut("register", { own: "0x1" }, false).send?.subarray(20)), "00000000");
});

test("PERSISTENT RESERVE IN: what it asks for and how the answers read", () => {
  const { command, receiveBytes } = readKeysCommand();
  assert.equal(hex(command), `5e000000000000${(receiveBytes ?? 0).toString(16)}00`);
  const keys = Buffer.from("000000070000001000000000000000ab1111111111111111", "hex");
  assert.deepEqual(parseKeys(keys), ["0xab", "0x1111111111111111"]);
  assert.deepEqual(parseKeys(Buffer.from("0000000700000000", "hex")), []);
  const held = Buffer.from("00000007000000108b4ae1b9f3c8cab60000000000050000", "hex");
  assert.equal(parseHolder(held), "0x8b4ae1b9f3c8cab6");
  assert.equal(parseHolder(Buffer.from("0000000700000000", "hex")), undefined);
});

test("the sg driver's header: lengths going out, statuses coming back", () => {
  const request = encodeRequest(persistOut("reserve", { own: "0x1" }));
  assert.equal(request.length, 36 + 10 + 24);
  assert.equal(request.readInt32LE(4), 36, "nothing to receive: else the driver takes it for both directions");
  assert.equal(encodeRequest(readKeysCommand()).readInt32LE(4), 36 + (readKeysCommand().receiveBytes ?? 0));
  const reply = Buffer.alloc(40);
  // Reservation conflict, 0x18, shifted right by one, above bit 0.
  reply.writeUInt32LE(0x0c << 1, 16);
  assert.deepEqual(
    { ...parseReply(reply), data: 0 },
    { status: 0x18, senseKey: 0, additionalSense: "", hostStatus: 0, data: 0 },
  );
  reply.writeUInt32LE((0x01 << 1) | (0x07 << 6), 16);
  Buffer.from("700006000000000a000000002a05", "hex").copy(reply, 20);
  assert.deepEqual(
    { ...parseReply(reply), data: 0 },
    { status: 0x02, senseKey: 6, additionalSense: "2a05", hostStatus: 7, data: 0 },
  );
  Buffer.from("72062a05", "hex").copy(reply, 20);
  assert.equal(parseReply(reply).additionalSense, "2a05");
});
