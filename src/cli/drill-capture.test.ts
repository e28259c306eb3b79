/** Only the command line sees both: what the lab's switch records is what the drill reads. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readPcap } from "../drill/capture/pcap.ts";
import { startCapture } from "../lab/switch/capture.ts";
import { withPrefix } from "../lab/switch/frame.ts";
import { systemClock } from "../system/clock.ts";

test("a recording of the lab's switch is read frame by frame, by the clock of this machine", () => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-capture-"));
  try {
    const file = join(folder, "a.pcap");
    const beforeMs = systemClock.wallMs();
    const capture = startCapture({ file }, systemClock);
    for (const length of [14, 60, 1514]) {
      const wire = withPrefix(new Uint8Array(length).fill(length % 256));
      capture.observe(wire, 0, wire.length, true, "n1");
    }
    capture.stop();
    const { frames, cutShort } = readPcap(readFileSync(file));
    assert.equal(cutShort, false);
    assert.deepEqual(
      frames.map(({ bytes }) => [bytes.length, bytes[0]]),
      [
        [14, 14],
        [60, 60],
        [1514, 1514 % 256],
      ],
    );
    // Two clocks of one machine: apart by less than the drill's tolerance.
    for (const { atMs } of frames) assert.ok(atMs >= beforeMs - 100, `${atMs} is before ${beforeMs}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
