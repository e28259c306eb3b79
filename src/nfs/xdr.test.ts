import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { flag, join, long, opaque, readerOf, text, word } from "./xdr.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

test("words, longs, flags, strings and opaque data as RFC 4506 lays them out", () => {
  assert.equal(hex(word(1, 0xffffffff, -2)), "00000001fffffffffffffffe");
  assert.equal(hex(long(0x0102030405060708n)), "0102030405060708");
  assert.equal(hex(join(flag(true), flag(false))), "0000000100000000");
  assert.equal(hex(text("sillyprog")), "0000000973696c6c7970726f67000000");
  assert.equal(hex(opaque(Uint8Array.of(9, 8, 7, 6))), "0000000409080706");
  assert.equal(hex(opaque(new Uint8Array())), "00000000");
});

test("what was written is read", () => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      fc.boolean(),
      fc.uint8Array({ maxLength: 70 }),
      fc.string(),
      (...all) => {
        const [number, big, truth, bytes, letters] = all;
        const reader = readerOf(join(word(number), long(big), flag(truth), opaque(bytes), text(letters), word(7)));
        assert.equal(reader.word(), number);
        assert.equal(reader.long(), big);
        assert.equal(reader.flag(), truth);
        assert.deepEqual(reader.opaque(70), bytes);
        assert.equal(reader.text(1000), Buffer.from(letters).toString());
        reader.skip(4);
        assert.equal(reader.rest().length, 0);
      },
    ),
  );
});

test("a message that ends early, and data longer than it may be, are told", () => {
  const whole = join(word(3), text("abc"));
  for (let length = 0; length < whole.length; length += 1) {
    const reader = readerOf(whole.subarray(0, length));
    assert.throws(() => (reader.word(), reader.text(10)), RangeError);
  }
  assert.throws(() => readerOf(text("abc")).text(2), /3 bytes where at most 2/);
});
