import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { advertisement, arp, tcp } from "../capture/fake-frames.ts";
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
  assert.deepEqual(judgeThaw(frames, HOME, { thawedAtMs: THAWED_MS }, "n1"), {
    facts: { framesSoon: 2, framesLate: 0, lastAfterMs: 480 },
    because: [],
  });
});

test("NFS, ARP and a neighbour advertisement later than that are told", () => {
  for (const late of [nfs, arp("10.77.0.50", "10.77.0.50"), advertisement("fd77::50", false)]) {
    const { facts, because } = judgeThaw([at(100, nfs), at(501, late)], HOME, { thawedAtMs: THAWED_MS }, "n1");
    assert.deepEqual([facts.framesSoon, facts.framesLate], [1, 1]);
    assert.match(because[0] ?? "", /^n1 sent 1 frames .* later than 500 ms after it was thawed, the first .* 501 ms$/);
  }
});

test("nothing at all", () => {
  assert.deepEqual(judgeThaw([], HOME, { thawedAtMs: THAWED_MS }, "n1").facts, { framesSoon: 0, framesLate: 0 });
});

describe("a node that is thawed before its fence has ended", () => {
  const frames = [at(100, nfs), at(2_900, nfs), at(3_400, nfs)];
  const judge = (fencedAfterMs: number) =>
    judgeThaw(frames, HOME, { thawedAtMs: THAWED_MS, fencedAtMs: THAWED_MS + fencedAfterMs }, "n1");

  test("may go on until then, and is silent half a second later", () => {
    assert.deepEqual(judge(3_000), {
      facts: { framesSoon: 1, framesLate: 0, lastAfterMs: 400, fencedAfterThawMs: 3_000 },
      because: [],
    });
    const { facts, because } = judge(2_800);
    assert.deepEqual([facts.framesSoon, facts.framesLate], [1, 1]);
    assert.match(because[0] ?? "", /later than 500 ms after it was fenced, the first .* after 600 ms$/);
  });

  test("a fence that had ended before changes nothing", () => {
    assert.deepEqual(judge(-7_000), judgeThaw(frames, HOME, { thawedAtMs: THAWED_MS }, "n1"));
    assert.equal(judge(-7_000).facts.framesLate, 2);
  });
});
