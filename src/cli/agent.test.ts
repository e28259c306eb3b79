import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "../base/fault.ts";
import { timeScaleFrom } from "./agent.ts";

test("the time scale: 1 unless it is given", () => {
  assert.equal(timeScaleFrom(undefined), 1);
  assert.equal(timeScaleFrom(""), 1);
  assert.equal(timeScaleFrom("12.5"), 12.5);
  assert.equal(timeScaleFrom("1000"), 1000);
});

test("a time scale that would cut bounds short, or is no number, is refused", () => {
  for (const text of ["0", "0.5", "-1", "1001", "Infinity", "NaN", "fast", "1x"])
    assert.throws(
      () => timeScaleFrom(text),
      (error) => error instanceof Fault && error.kind === "invalid",
      text,
    );
});
