import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { matchesGolden } from "../../tests/golden.ts";
import { HOLD_GROUP, OPEN_GROUP } from "./hold-filter.ts";
import { HUSH_EVERYONE_GROUP, hushedAs, hushFilterText, hushGroup, hushName, isHushGroup } from "./hush-filter.ts";

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

describe("a fileserver with IPv6 addresses only", () => {
  const v6 = { family: 6, address: "fd77::50" } as const;

  test("is hushed by an address of its own that no machine can have", () => {
    assert.deepEqual(hushedAs({ name: "home", addresses: [v6, { family: 4, address: "10.77.0.50" }] }), ["10.77.0.50"]);
    const [home] = hushedAs({ name: "home", addresses: [v6] });
    const [media] = hushedAs({ name: "media", addresses: [v6] });
    assert.match(home ?? "", /^0\.\d+\.\d+\.\d+$/);
    assert.notEqual(home, media);
    assert.deepEqual(hushedAs({ name: "home", addresses: [] }), [home]);
  });

  test("announces that one by hushes alone", () => {
    const [mac, keys] = ["52:54:00:12:34:56", ["0x1"]] as const;
    const [first, second] = hushFilterText(mac, keys, false)
      .split("\n")
      .filter((line) => line.includes("oifgroup !="));
    assert.equal(first, "    oifgroup != { 8, 16 } meta protocol arp drop");
    assert.equal(second, "    oifgroup != { 8, 16 } accept");
  });
});
