import assert from "node:assert/strict";
import { test } from "node:test";
import { matchesGolden } from "../../tests/golden.ts";
import { HUSH_EVERYONE, hushName } from "./hush-filter.ts";
import { PARENT_TABLE_PREFIX, parentMuteFilterText, removeParentMuteFilter } from "./parent-mute-filter.ts";

const HOME = {
  name: "home-1",
  interface: "eth1.20",
  link: "macvlan",
  mac: "02:68:66:00:00:50",
  addresses: [
    { family: 4, address: "10.77.0.50" },
    { family: 6, address: "fd77::50" },
    { family: 4, address: "10.77.0.51" },
  ],
} as const;

test("a macvlan is hushed and muted by its hardware address, whatever it speaks", () => {
  const text = parentMuteFilterText(HOME, "0xabcdef0102030405", 1);
  matchesGolden("linux/parent-mute-filter-macvlan.nft", text);
  for (const { address } of HOME.addresses) assert.ok(!text.includes(address), address);
});

test("an ipvlan, which has its parent's, by its addresses", () => {
  const text = parentMuteFilterText({ ...HOME, link: "ipvlan" }, "0xabcdef0102030405", 10);
  matchesGolden("linux/parent-mute-filter-ipvlan.nft", text);
  assert.ok(!text.includes("026866000050") && !text.includes(HOME.mac));
  const v6 = parentMuteFilterText({ ...HOME, link: "ipvlan", addresses: [HOME.addresses[1]] }, "0x1", 1);
  assert.match(v6, /arp saddr ip \{ 0\.\d+\.\d+\.\d+ \} update/);
  assert.ok(!v6.includes("    ip saddr") && v6.includes("ip6 saddr { fd77::50 } oifname @muted drop"));
  const v4 = parentMuteFilterText({ ...HOME, link: "ipvlan", addresses: [HOME.addresses[0]] }, "0x1", 1);
  assert.ok(!v4.includes("ip6"));
});

test("only this node is meant: neither everyone nor another one", () => {
  const text = parentMuteFilterText(HOME, "0xff00000000000011", 1);
  assert.ok(text.includes(`arp daddr ip ${hushName("0xff00000000000011")} `));
  assert.ok(!text.includes(HUSH_EVERYONE));
});

test("what is taken away is what was loaded, and is made first where it is not there", () => {
  assert.equal(PARENT_TABLE_PREFIX, "holdfast_mute_");
  assert.equal(
    removeParentMuteFilter("home-1"),
    "add table netdev holdfast_mute_home-1; delete table netdev holdfast_mute_home-1",
  );
});
