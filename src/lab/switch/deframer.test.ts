import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { deframe, makeDeframer } from "./deframer.ts";
import { formatMac, FRAME_BYTES_MAX, isGroup, parseMac, readDestination, readSource, withPrefix } from "./frame.ts";

/** Cuts `bytes` at the given places, given as fractions of the length. */
function chunksOf(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [0, ...cuts.map((cut) => Math.floor(cut * bytes.length)), bytes.length].sort((a, b) => a - b);
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

test("frames come out as they went in, wherever the stream is cut", () => {
  const frames = fc.array(fc.uint8Array({ maxLength: 90 }), { maxLength: 12 });
  const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 40 });
  fc.assert(
    fc.property(frames, cuts, (frames, cuts) => {
      const deframer = makeDeframer();
      const seen: string[] = [];
      for (const chunk of chunksOf(Buffer.concat(frames.map(withPrefix)), cuts)) {
        const sink = (wire: Buffer, start: number, end: number): void => {
          assert.equal(wire.readUInt32BE(start), end - start - 4);
          seen.push(wire.toString("hex", start + 4, end));
        };
        assert.equal(deframe(deframer, chunk, sink), true);
      }
      assert.deepEqual(
        seen,
        frames.map((frame) => Buffer.from(frame).toString("hex")),
      );
    }),
  );
});

test("a frame that lies whole in a chunk is not copied", () => {
  const chunk = Buffer.concat([withPrefix(Buffer.alloc(60, 1)), withPrefix(Buffer.alloc(70, 2))]);
  const ranges: unknown[] = [];
  deframe(makeDeframer(), chunk, (wire, start, end) => ranges.push([wire === chunk, start, end]));
  assert.deepEqual(ranges, [
    [true, 0, 64],
    [true, 64, 138],
  ]);
});

test("a length above QEMU's maximum ends the stream, also when the length itself straddles chunks", () => {
  const longest = withPrefix(Buffer.alloc(FRAME_BYTES_MAX));
  const tooLong = Buffer.alloc(4);
  tooLong.writeUInt32BE(FRAME_BYTES_MAX + 1, 0);
  let frames = 0;
  const count = (): void => void (frames += 1);
  assert.equal(deframe(makeDeframer(), longest, count), true);
  assert.equal(deframe(makeDeframer(), Buffer.concat([longest, tooLong]), count), false);
  assert.equal(frames, 2);
  const deframer = makeDeframer();
  assert.equal(deframe(deframer, tooLong.subarray(0, 3), count), true);
  assert.equal(deframe(deframer, tooLong.subarray(3), count), false);
});

test("MAC addresses are read, written and told apart from groups", () => {
  const mac = fc.uint8Array({ minLength: 6, maxLength: 6 });
  fc.assert(
    fc.property(mac, mac, (destination, source) => {
      const wire = withPrefix(Buffer.concat([destination, source, Buffer.alloc(2)]));
      const text = (bytes: Uint8Array): string =>
        [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
      assert.equal(formatMac(readDestination(wire, 0)), text(destination));
      assert.equal(formatMac(readSource(wire, 0)), text(source));
      assert.equal(parseMac(text(source)), readSource(wire, 0));
      assert.equal(isGroup(readDestination(wire, 0)), ((destination[0] ?? 0) & 1) === 1);
    }),
  );
});
