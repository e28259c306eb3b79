import assert from "node:assert/strict";
import { test } from "node:test";
import { matchesGolden } from "../../tests/golden.ts";
import { HOLD_GROUP, OPEN_GROUP } from "./hold-filter.ts";
import { HUSH_EVERYONE_GROUP, hushFilterText, hushGroup, hushName, isHushGroup } from "./hush-filter.ts";

test("what leaves a link in a hush's group, and that nothing comes in", () => {
  matchesGolden("linux/hush-filter.nft", hushFilterText("52:54:00:12:34:56", ["0xff00000000000001", "0x2"]));
});

test("a name is of this network and nobody's address, whatever the key", () => {
  assert.equal(hushName("0xabcdef0102030405"), "0.3.4.5");
  assert.equal(hushName("0x1"), "0.0.0.1");
  assert.equal(hushName("0xffffffffffffffff"), "0.255.255.255");
});

test("groups of hushes are no groups of service", () => {
  assert.deepEqual([HUSH_EVERYONE_GROUP, hushGroup(0), hushGroup(31)].map(isHushGroup), [true, true, true]);
  assert.deepEqual([OPEN_GROUP, HOLD_GROUP, undefined].map(isHushGroup), [false, false, false]);
});
