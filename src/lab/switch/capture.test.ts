import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Fault } from "../../base/fault.ts";
import type { Clock } from "../../system/clock.ts";
import { startCapture } from "./capture.ts";
import { withPrefix } from "./frame.ts";

const folder = mkdtempSync(join(tmpdir(), "hf-pcap-"));
after(() => rmSync(folder, { recursive: true }));

const FRAME = Buffer.from("ffffffffffff02000000000a0806beef", "hex");

/** Starts at 2026-01-02 03:04:05.678 UTC, and moves on 250 microseconds at each look. */
function clockAt(): Clock {
  let monotonicMs = 1000;
  return {
    monotonicMs: () => (monotonicMs += 0.25),
    wallMs: () => 1_767_323_045_678,
    sleep: () => Promise.resolve(),
  };
}

test("the file is a classic pcap: header, then each frame with its time to the microsecond", () => {
  const file = join(folder, "golden.pcap");
  const capture = startCapture({ file }, clockAt());
  const wire = withPrefix(FRAME);
  capture.observe(wire, 0, wire.length, true, "n1");
  capture.observe(wire, 0, wire.length, false, "n1");
  capture.observe(wire, 0, wire.length, true, "n1");
  assert.deepEqual(capture.stop(), { file, frames: 2, bytes: 24 + 2 * 32 });
  assert.equal(
    readFileSync(file).toString("hex"),
    [
      ["d4c3b2a1", "0200", "0400", "00000000", "00000000", "00000400", "01000000"].join(""),
      // 0x695735a5 = 1767323045 s; 0x0a596a = 678250 us; 0x0a5a64 is 250 us later.
      ["a5355769", "6a590a00", "10000000", "10000000", FRAME.toString("hex")].join(""),
      ["a5355769", "645a0a00", "10000000", "10000000", FRAME.toString("hex")].join(""),
    ].join(""),
  );
});

test("dropped frames are recorded where that was asked for", () => {
  const file = join(folder, "dropped.pcap");
  const capture = startCapture({ file, includeDropped: true }, clockAt());
  const wire = withPrefix(FRAME);
  capture.observe(wire, 0, wire.length, false, "n1");
  assert.equal(capture.stop().frames, 1);
});

test("only what one machine sent, where that was asked for", () => {
  const capture = startCapture({ file: join(folder, "from.pcap"), from: "n1" }, clockAt());
  const wire = withPrefix(FRAME);
  for (const from of ["n1", "n2", undefined]) capture.observe(wire, 0, wire.length, true, from);
  assert.equal(capture.stop().frames, 1);
});

test("recording ends before the file grows past its bound, and says so", () => {
  const file = join(folder, "bounded.pcap");
  const capture = startCapture({ file, maxBytes: 24 + 32 + 31 }, clockAt());
  const wire = withPrefix(FRAME);
  for (let index = 0; index < 3; index += 1) capture.observe(wire, 0, wire.length, true, "n1");
  const state = capture.stop();
  assert.equal(state.frames, 1);
  assert.equal(state.endedBecause, "the file has reached 87 bytes");
  assert.equal(readFileSync(file).length, 24 + 32);
});

test("more than one batch arrives whole", () => {
  const file = join(folder, "large.pcap");
  const capture = startCapture({ file }, clockAt());
  const wire = withPrefix(Buffer.alloc(1514, 7));
  for (let index = 0; index < 1000; index += 1) capture.observe(wire, 0, wire.length, true, "n1");
  const state = capture.stop();
  assert.equal(readFileSync(file).length, state.bytes);
  assert.equal(state.bytes, 24 + 1000 * 1530);
});

test("a file that cannot be written is a Fault with a remedy", () => {
  assert.throws(
    () => startCapture({ file: join(folder, "no/such/folder.pcap") }, clockAt()),
    (error) => error instanceof Fault && error.code === "switch-capture-failed" && error.remedy !== undefined,
  );
});
