import assert from "node:assert/strict";
import { test } from "node:test";
import type { DrillDocument } from "../document.ts";
import { withWear } from "./storm.ts";

function moves(...writeMs: readonly number[]): readonly DrillDocument[] {
  return writeMs.map(
    (write) =>
      ({ pauseMs: { write, read: 900, lock: write * 9 }, because: [], verdict: "pass" }) as unknown as DrillDocument,
  );
}

const TEN = Array.from({ length: 10 }, () => 1000);

test("the last ten are compared with the first ten", () => {
  assert.equal(withWear(moves(...TEN, 5000, ...TEN)).at(-1)?.verdict, "pass");
  const worn = withWear(moves(...TEN, ...TEN.map(() => 1201)));
  assert.deepEqual(worn.at(-1)?.because, ["the last 10 moves paused write for 1201 ms, the first 10 for 1000 ms"]);
  assert.equal(worn.at(-1)?.verdict, "fail");
  assert.ok(worn.slice(0, -1).every(({ verdict }) => verdict === "pass"));
});

test("fewer than twenty say nothing", () => {
  assert.equal(withWear(moves(...TEN, 9000)).at(-1)?.verdict, "pass");
});
