import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { emptyLog, endLine, errorLine, headerLine, parseLog, readLines, successLine } from "./samples.ts";

const TEXT = [
  headerLine({ kind: "write", intervalMs: 40, startUs: 5, wallMs: 1_700_000_000_000 }),
  successLine(10, 3, 0),
  successLine(20, 4),
  errorLine({ endUs: 30, durationUs: 2, operation: "fsync", code: "EIO", text: "EIO: i/o\nerror" }),
  endLine(40),
].join("");

test("what is written is read back", () => {
  assert.deepEqual(parseLog(TEXT), {
    header: { kind: "write", intervalMs: 40, startUs: 5, wallMs: 1_700_000_000_000 },
    successes: [
      { endUs: 10, durationUs: 3, sequence: 0 },
      { endUs: 20, durationUs: 4 },
    ],
    errors: [{ endUs: 30, durationUs: 2, operation: "fsync", code: "EIO", text: "EIO: i/o error" }],
    endedUs: 40,
    strange: [],
  });
});

test("a log read in pieces is the same as read whole", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: TEXT.length })), (cuts) => {
      const log = emptyLog();
      let used = 0;
      for (const end of [...cuts.sort((a, b) => a - b), TEXT.length]) {
        if (end > used) used += readLines(log, TEXT.slice(used, end));
      }
      assert.deepEqual(log, parseLog(TEXT));
    }),
  );
});

test("lines that are none of ours are kept as strange", () => {
  assert.deepEqual(parseLog("s 1\ns x 2\nwhat\ns 1 2 3 4\n").strange, ["s 1", "s x 2", "what", "s 1 2 3 4"]);
});
