import assert from "node:assert/strict";
import { isIPv4, isIPv6 } from "node:net";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  addressBits,
  contains,
  formatAddress,
  formatCidr,
  lastAddress,
  networkEdge,
  networkOf,
  networkOfCidrAddress,
  networksOverlap,
  parseAddress,
  parseCidr,
  sameAddress,
  specialAddress,
  type Address,
} from "./address.ts";

function address(text: string): Address {
  const parsed = parseAddress(text);
  assert.ok(parsed !== undefined, `${text} should parse`);
  return parsed;
}

const addresses: fc.Arbitrary<Address> = fc
  .tuple(fc.constantFrom(4 as const, 6 as const), fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }))
  .map(([family, value]) => ({ family, value: family === 4 ? value & 0xffffffffn : value }));

describe("addresses", () => {
  test("what is printed parses back to the same", () => {
    fc.assert(
      fc.property(addresses, (value) => {
        assert.deepEqual(parseAddress(formatAddress(value)), value);
      }),
    );
  });

  test("every text that parses is one that Node's own reader takes, and the other way round", () => {
    const pieces = fc.constantFrom("0", "1", "9", "25", "256", "f", "ffff", "a0b", ":", "::", ".", "/", "00", "%", " ");
    const texts = fc.oneof(
      fc.array(pieces, { maxLength: 17 }).map((parts) => parts.join("")),
      fc.ipV4(),
      fc.ipV6(),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const zoned = text.includes("%");
        assert.equal(parseAddress(text) !== undefined, (isIPv4(text) || isIPv6(text)) && !zoned, text);
      }),
      { numRuns: 1000 },
    );
  });

  test("RFC 5952: lower case, the longest run of zeros, the first of equals, never a single group", () => {
    const canonical: readonly (readonly [string, string])[] = [
      ["2001:DB8:0:0:0:0:2:1", "2001:db8::2:1"],
      ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
      ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
      ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
      ["0:0:0:0:0:0:0:0", "::"],
      ["1::", "1::"],
      ["64:ff9b::10.77.0.1", "64:ff9b::a4d:1"],
    ];
    for (const [given, wanted] of canonical) assert.equal(formatAddress(address(given)), wanted);
  });

  test("refuses what readers disagree about", () => {
    for (const text of [
      "010.0.0.1",
      "10.0.0",
      "10.0.0.1.",
      "1.2.3.4.5",
      "::1::",
      "1:2:3:4:5:6:7:8:9",
      "fe80::1%eth0",
      "",
      ":",
    ]) {
      assert.equal(parseAddress(text), undefined, text);
    }
    for (const text of ["10.0.0.1", "10.0.0.1/33", "10.0.0.1/-1", "10.0.0.1/024", "::/129", "10.0.0.1/24/24"]) {
      assert.equal(parseCidr(text), undefined, text);
    }
  });
});

describe("networks", () => {
  const networks = addresses.chain((value) =>
    fc.integer({ min: 0, max: addressBits(value.family) }).map((length) => networkOf(value, length)),
  );

  test("a network holds its first and its last address, and is printed as it is parsed", () => {
    fc.assert(
      fc.property(networks, (network) => {
        assert.ok(contains(network, network.address));
        assert.ok(contains(network, lastAddress(network)));
        assert.deepEqual(parseCidr(formatCidr(network)), network);
      }),
    );
  });

  test("two networks overlap exactly when one holds the other's first address", () => {
    fc.assert(
      fc.property(networks, networks, (a, b) => {
        assert.equal(networksOverlap(a, b), contains(a, b.address) || contains(b, a.address));
        assert.equal(networksOverlap(a, b), networksOverlap(b, a));
      }),
    );
  });

  test("an address outside is outside", () => {
    const network = networkOf(address("10.77.0.9"), 24);
    assert.equal(contains(network, address("10.77.1.0")), false);
    assert.equal(contains(network, address("::10.77.0.9")), false);
    assert.ok(sameAddress(network.address, address("10.77.0.0")));
    assert.deepEqual(networkOfCidrAddress({ family: 4, address: "10.77.0.9", prefixLength: 24 }), network);
  });

  test("no machine has the first or the broadcast address of a network, except on point-to-point links", () => {
    assert.match(networkEdge(address("10.77.0.0"), 24) ?? "", /network itself/);
    assert.match(networkEdge(address("10.77.0.255"), 24) ?? "", /broadcast/);
    assert.match(networkEdge(address("fd77::"), 64) ?? "", /network itself/);
    assert.equal(networkEdge(address("fd77::ffff:ffff:ffff:ffff"), 64), undefined);
    assert.equal(networkEdge(address("10.77.0.0"), 31), undefined);
    assert.equal(networkEdge(address("10.77.0.0"), 32), undefined);
  });

  test("special ranges are named", () => {
    const special = [
      "0.1.2.3",
      "127.0.0.1",
      "169.254.1.1",
      "224.0.0.1",
      "255.255.255.255",
      "::",
      "::1",
      "::ffff:10.0.0.1",
      "fe80::1",
      "ff02::1",
    ];
    for (const text of special) assert.notEqual(specialAddress(address(text)), undefined, text);
    for (const text of ["10.77.0.50", "192.0.2.1", "fd77::50", "2001:db8::1"]) {
      assert.equal(specialAddress(address(text)), undefined, text);
    }
  });
});
