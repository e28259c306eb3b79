/** The lock calls themselves need a process of their own: src/drill/lock-drills.test.ts has two. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import type { LoopConfig } from "./config.ts";
import { look } from "./look.ts";
import { tickWork, watchWork } from "./watch-works.ts";

let directory = "";

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "holdfast-watch-"));
});

afterEach(() => rmSync(directory, { recursive: true }));

function loop(kind: "tick" | "watch"): LoopConfig {
  return { name: kind, kind, directory, intervalMs: 1, client: 1, heldLocks: 0 };
}

test("a rising counter is seen to rise, and its going back is a stale read until it has caught up", () => {
  const [tick, watch] = [tickWork(loop("tick")), watchWork(loop("watch"))];
  assert.equal(watch.once(), 0, "nothing was written yet");
  for (const value of [1, 2, 3]) assert.deepEqual([tick.once(), watch.once()], [value, value]);
  const again = tickWork(loop("tick"));
  again.once();
  assert.throws(() => watch.once(), { code: "ESTALECONTENT", message: "tick.dat is 1, seen before was 3" });
  for (let round = 0; round < 3; round += 1) again.once();
  assert.equal(watch.once(), 4);
  for (const work of [tick, watch, again]) work.close();
});

test("half a record is no value", () => {
  const [tick, watch] = [tickWork(loop("tick")), watchWork(loop("watch"))];
  tick.once();
  truncateSync(join(directory, "tick.dat"), 512);
  assert.throws(() => watch.once(), { code: "EWRONGCONTENT" });
  tick.close();
  watch.close();
});

test("the last look reads a counter, and says nothing where it is none", () => {
  const tick = tickWork(loop("tick"));
  for (let round = 0; round < 7; round += 1) tick.once();
  tick.close();
  const counter = join(directory, "tick.dat");
  assert.deepEqual(look({ held: [], counter }), { free: {}, counter: 7 });
  writeFileSync(counter, "7");
  assert.deepEqual(look({ held: [], counter }), { free: {} });
  assert.deepEqual(look({ held: [] }), { free: {} });
});
