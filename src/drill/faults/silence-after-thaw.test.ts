import assert from "node:assert/strict";
import { test } from "node:test";
import { advertisement, arp, tcp } from "../wire-check/fake-frames.ts";
import { judgeThaw } from "./silence-after-thaw.ts";

const HOME = ["10.77.0.50", "fd77::50"];
const THAWED_MS = 1_795_000_000_000;

const at = (afterMs: number, bytes: readonly number[]) => ({
  atMs: THAWED_MS + afterMs,
  bytes: Uint8Array.from(bytes),
});
const nfs = tcp({ from: ["10.77.0.50", 2049], to: ["10.77.0.21", 812], flags: "A" });

test("what it sends within half a second, and as itself, is no harm", () => {
  const own = tcp({ from: ["10.77.0.11", 5405], to: ["10.77.0.12", 5405], flags: "A" });
  const frames = [at(-9_000, nfs), at(120, nfs), at(480, arp("10.77.0.50", "10.77.0.50")), at(900, own)];
  assert.deepEqual(judgeThaw(frames, HOME, THAWED_MS, "n1"), {
    facts: { framesSoon: 2, framesLate: 0, lastAfterMs: 480 },
    because: [],
  });
});

test("NFS, ARP and a neighbour advertisement later than that are told", () => {
  for (const late of [nfs, arp("10.77.0.50", "10.77.0.50"), advertisement("fd77::50", false)]) {
    const { facts, because } = judgeThaw([at(100, nfs), at(501, late)], HOME, THAWED_MS, "n1");
    assert.deepEqual([facts.framesSoon, facts.framesLate], [1, 1]);
    assert.match(because[0] ?? "", /^n1 sent 1 frames .* later than 500 ms after it was thawed, the first .* 501 ms$/);
  }
});

test("nothing at all", () => {
  assert.deepEqual(judgeThaw([], HOME, THAWED_MS, "n1").facts, { framesSoon: 0, framesLate: 0 });
});
