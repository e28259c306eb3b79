import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { recorded } from "../../tests/expected-commands.ts";
import { parseProcNetTcp, parseSendQueues } from "./proc-net-tcp.ts";

describe("parseProcNetTcp", () => {
  test("established connections of a fileserver, listeners left out", () => {
    assert.deepEqual(parseProcNetTcp(recorded("linux/tcp.txt")), [
      { localAddress: "10.77.0.50", localPort: 2049, remoteAddress: "10.77.0.21", remotePort: 60024 },
      { localAddress: "10.77.0.50", localPort: 4001, remoteAddress: "10.77.0.21", remotePort: 57386 },
    ]);
  });

  test("IPv6", () => {
    assert.deepEqual(parseProcNetTcp(recorded("linux/tcp6.txt")), [
      { localAddress: "fd77::50", localPort: 2049, remoteAddress: "fd77::21", remotePort: 41864 },
      { localAddress: "fd77::50", localPort: 20048, remoteAddress: "fd77::21", remotePort: 59106 },
    ]);
  });

  test("an IPv4 peer of a socket for both comes out as IPv4; loopback as ::1", () => {
    assert.deepEqual(
      parseProcNetTcp(recorded("linux/tcp6-mapped.txt")).map((one) => [one.localAddress, one.remoteAddress]),
      [
        ["::1", "::1"],
        ["::1", "::1"],
        ["127.0.0.1", "127.0.0.1"],
      ],
    );
  });

  test("nothing", () => {
    assert.deepEqual(parseProcNetTcp(""), []);
    assert.deepEqual(parseProcNetTcp("  sl  local_address rem_address   st\n"), []);
  });

  test("any IPv6 address is written as RFC 5952 wants it, which is how URL writes it too", () => {
    // Groups of zero are frequent, so that runs of them of every length and place come up.
    const groups = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), {
      minLength: 8,
      maxLength: 8,
    });
    fc.assert(
      fc.property(groups, (address) => {
        const mapped = address.slice(0, 5).every((group) => group === 0) && address[5] === 0xffff;
        fc.pre(!mapped);
        const bytes = address.flatMap((group) => [group >> 8, group & 0xff]);
        const hex = [0, 4, 8, 12]
          .flatMap((word) => [3, 2, 1, 0].map((byte) => bytes[word + byte] ?? 0))
          .map((byte) => byte.toString(16).padStart(2, "0").toUpperCase())
          .join("");
        const [one] = parseProcNetTcp(`head\n   0: ${hex}:0801 ${hex}:0001 01 0 0 0 0\n`);
        const url = new URL(`http://[${address.map((group) => group.toString(16)).join(":")}]/`);
        assert.equal(`[${one?.remoteAddress}]`, url.hostname);
      }),
    );
  });
});

test("parseSendQueues: what is not acknowledged, of any connection of the ports, in any state but listening", () => {
  const text = recorded("linux/tcp.txt").replace("EA78 01 00000000:", "EA78 05 000001A0:");
  assert.deepEqual(parseSendQueues(text, [2049]), [416]);
  assert.deepEqual(parseSendQueues(text, [2049, 4001]), [416, 0]);
  assert.deepEqual(parseSendQueues(text, [111]), []);
  assert.deepEqual(parseSendQueues("", [2049]), []);
});
