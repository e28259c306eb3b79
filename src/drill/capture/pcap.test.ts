import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { readPcap } from "./pcap.ts";

interface Shape {
  readonly magic?: number;
  readonly littleEndian?: boolean;
  readonly linkType?: number;
  readonly fraction?: number;
}

/** One record of three bytes at 2 s and a fraction. */
function pcap({ magic = 0xa1b2c3d4, littleEndian = true, linkType = 1, fraction = 500_250 }: Shape = {}): Uint8Array {
  const bytes = new Uint8Array(24 + 16 + 3);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, magic, littleEndian);
  view.setUint32(20, linkType, littleEndian);
  view.setUint32(24, 2, littleEndian);
  view.setUint32(28, fraction, littleEndian);
  view.setUint32(32, 3, littleEndian);
  bytes.set([1, 2, 3], 40);
  return bytes;
}

describe("a pcap file", () => {
  test("frames with their time, in either byte order and either unit", () => {
    const shapes: readonly Shape[] = [
      {},
      { littleEndian: false },
      { magic: 0xa1b23c4d, fraction: 500_250_000 },
      { magic: 0xa1b23c4d, littleEndian: false, fraction: 500_250_000 },
    ];
    for (const shape of shapes) {
      const { frames, cutShort } = readPcap(pcap(shape));
      assert.deepEqual(
        frames.map(({ atMs, bytes }) => [atMs, [...bytes]]),
        [[2500.25, [1, 2, 3]]],
      );
      assert.equal(cutShort, false);
    }
  });

  test("one that ends inside a record gives what is whole, and says so", () => {
    const whole = pcap();
    for (const length of [whole.length - 1, 39, 25]) {
      const { frames, cutShort } = readPcap(whole.slice(0, length));
      assert.deepEqual([frames.length, cutShort], [0, true], String(length));
    }
    assert.deepEqual(readPcap(whole.slice(0, 24)), { frames: [], cutShort: false });
  });

  test("what is none is refused with its reason", () => {
    assert.throws(() => readPcap(new Uint8Array(3)), /it has 3 bytes/);
    assert.throws(() => readPcap(pcap({ magic: 0x0a0d0d0a })), /it begins with 0a0d0d0a/);
    assert.throws(() => readPcap(pcap({ linkType: 113 })), /its link type is 113/);
  });

  test("a view into a larger buffer is read from where it begins", () => {
    const larger = new Uint8Array(100);
    larger.set(pcap(), 9);
    assert.equal(readPcap(larger.subarray(9, 9 + pcap().length)).frames.length, 1);
  });

  test("however it is damaged behind the header, frames lie inside the file", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (tail) => {
        const { frames } = readPcap(Uint8Array.from([...pcap(), ...tail]));
        const bytes = frames.reduce((sum, frame) => sum + frame.bytes.length + 16, 24);
        assert.ok(bytes <= 24 + 19 + tail.length);
      }),
    );
  });
});
