import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { known } from "../base/observed.ts";
import { recorded } from "../../tests/expected-commands.ts";
import { parseMonitorFile } from "./monitor-record.ts";

const LINE = recorded("nfs/monitor-c1.txt");

describe("statd's record of a client", () => {
  test("its name is the file's, its address the one that the lock manager knows", () => {
    assert.deepEqual(parseMonitorFile("c1", LINE), [known({ name: "c1", address: "10.77.0.21" })]);
  });

  test("a client that locks over both families has a line for each", () => {
    const second = LINE.replace("10.77.0.21", "fd77::21");
    assert.deepEqual(parseMonitorFile("c1", LINE + second), [
      known({ name: "c1", address: "10.77.0.21" }),
      known({ name: "c1", address: "fd77::21" }),
    ]);
  });

  test("monitored by its name: no address", () => {
    assert.deepEqual(parseMonitorFile("c1", LINE.replace("10.77.0.21", "c1.lab.example")), [known({ name: "c1" })]);
  });

  test("what is no record is told, and hides no record beside it", () => {
    for (const broken of ["garbage", LINE.slice(0, 40), LINE.replace(" a8", " "), LINE.replace(/ n1/, "")]) {
      const [first, second, ...more] = parseMonitorFile("c1", `${broken.trim()}\n${LINE}`);
      assert.ok(first?.known === false, broken);
      assert.match(first.why, /^c1 has a line that is no record: "/);
      assert.deepEqual([second?.known, more], [true, []]);
    }
    assert.deepEqual(parseMonitorFile("c1", ""), [{ known: false, why: "c1 is empty" }]);
  });

  test("a torn write of megabytes is shown in part", () => {
    const [only] = parseMonitorFile("c1", "x".repeat(1_000_000));
    assert.ok(only?.known === false && only.why.length < 150);
  });

  test("every line is either a record or told", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(LINE.trim(), "x", `${LINE.trim()} more`)), (lines) => {
        const wanted = lines.length === 0 ? [false] : lines.map((line) => line === LINE.trim());
        assert.deepEqual(
          parseMonitorFile("c1", lines.join("\n")).map((one) => one.known),
          wanted,
        );
      }),
    );
  });
});
