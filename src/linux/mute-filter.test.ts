import assert from "node:assert/strict";
import { test } from "node:test";
import { muteFilterText } from "./mute-filter.ts";
import { matchesGolden } from "../../tests/golden.ts";

const MAC = "52:54:00:12:34:56";

test("whoever else announces one of the addresses silences the link for a while", () => {
  matchesGolden("linux/mute-filter.nft", muteFilterText(["10.77.0.50", "10.77.0.51"], MAC, "0xabcdef0102030405", 1));
});

test("a slow node is muted for longer, in whole seconds", () => {
  assert.match(muteFilterText(["10.77.0.50"], MAC, "0x1", 10), /timeout 50s$/m);
  assert.match(muteFilterText(["10.77.0.50"], MAC, "0x1", 1.25), /timeout 7s$/m);
});

test("without an address that hushes come from nobody is listened to", () => {
  assert.equal(muteFilterText([], MAC, "0x1", 1), "");
});
