import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { addressBytes, advertisement, arp, ethernet, ip, tcp, u16, u32, udp, unreachable } from "./fake-frames.ts";
import { readPacket, type Packet } from "./packet.ts";

const read = (bytes: readonly number[]): Packet | undefined => readPacket(Uint8Array.from(bytes));
const V4 = ["10.77.0.50", "10.77.0.21"] as const;
const V6 = ["fd77::50", "fd77::21"] as const;

describe("a frame", () => {
  test("TCP over either family: ends, numbers, flags, payload", () => {
    for (const [server, client] of [V4, V6]) {
      const segment = { from: [server, 2049], to: [client, 812], sequence: 4_000_000_000, acknowledgement: 9 } as const;
      assert.deepEqual(read(tcp({ ...segment, flags: "FA", payload: [1, 2] })), {
        kind: "tcp",
        source: server,
        destination: client,
        sourcePort: 2049,
        destinationPort: 812,
        sequence: 4_000_000_000,
        acknowledgement: 9,
        fin: true,
        syn: false,
        reset: false,
        ack: true,
        payload: Uint8Array.from([1, 2]),
      });
      for (const [flags, name] of Object.entries({ F: "fin", S: "syn", R: "reset", A: "ack" })) {
        const packet = read(tcp({ ...segment, flags }));
        assert.ok(packet?.kind === "tcp");
        const set = (["fin", "syn", "reset", "ack"] as const).filter((one) => packet[one]);
        assert.deepEqual(set, [name]);
      }
    }
  });

  test("padding of short frames is no payload", () => {
    const segment = tcp({ from: ["10.77.0.50", 1], to: ["10.77.0.21", 2], flags: "A" });
    const packet = read([...segment, 0, 0, 0, 0, 0, 0]);
    assert.equal(packet?.kind === "tcp" && packet.payload.length, 0);
  });

  test("a datagram, also behind a VLAN tag, IPv4 options and IPv6 options", () => {
    const datagram = udp(["10.77.0.50", 700], ["10.77.0.21", 662], [7]);
    const wanted = { kind: "udp", sourcePort: 700, destinationPort: 662, payload: Uint8Array.from([7]) };
    const tagged = [...datagram.slice(0, 12), ...u16(0x8100), ...u16(5), ...datagram.slice(12)];
    const header = datagram.slice(14, 34);
    const longer = ethernet(0x0800, [0x46, 0, ...u16(33), ...header.slice(4), 1, 1, 1, 1, ...datagram.slice(34)]);
    const body = udp(["10.77.0.50", 700], ["10.77.0.21", 662], [7]).slice(34);
    const v6 = ip("fd77::50", "fd77::21", 0, [17, 0, 1, 4, 0, 0, 0, 0, ...body]);
    for (const frame of [datagram, tagged, longer, v6]) {
      const packet = read(frame);
      assert.ok(packet?.kind === "udp");
      const { kind, sourcePort, destinationPort, payload } = packet;
      assert.deepEqual({ kind, sourcePort, destinationPort, payload }, wanted);
    }
  });

  test("fragments behind the first have no ports", () => {
    const first = udp(["10.77.0.50", 1], ["10.77.0.21", 2], [7]);
    assert.equal(read([...first.slice(0, 20), 0x20, 0x00, ...first.slice(22)])?.kind, "udp");
    assert.equal(read([...first.slice(0, 20), 0x20, 0x01, ...first.slice(22)])?.kind, "other");
    const body = [...u16(1), ...u16(2), ...u16(9), ...u16(0), 7];
    assert.equal(read(ip("fd77::50", "fd77::21", 44, [17, 0, 0, 1, ...u32(1), ...body]))?.kind, "udp");
    assert.equal(read(ip("fd77::50", "fd77::21", 44, [17, 0, 0, 8, ...u32(1), ...body]))?.kind, "other");
  });

  test("who resolves whom", () => {
    assert.deepEqual(read(arp("10.77.0.50", "10.77.0.21")), { kind: "arp", source: V4[0], destination: V4[1] });
    const advertised = read(advertisement("fd77::50", true));
    assert.ok(advertised?.kind === "advertisement");
    assert.deepEqual([advertised.source, advertised.target, advertised.solicited], ["fd77::50", "fd77::50", true]);
    const unsolicited = read(advertisement("fd77::50", false));
    assert.equal(unsolicited?.kind === "advertisement" && unsolicited.solicited, false);
  });

  test("an answer that nobody listens says about whom", () => {
    for (const [server, client] of [V4, V6]) {
      const about = { from: [client, 812], to: [server, 2049], flags: "S" } as const;
      assert.deepEqual(read(unreachable(server, about)), {
        kind: "unreachable",
        source: server,
        destination: client,
        about: { address: server, protocol: 6 },
      });
    }
  });

  test("other protocols and other frames", () => {
    assert.deepEqual(read(ip("10.77.0.50", "10.77.0.21", 1, [8, 0, 0, 0])), {
      kind: "other",
      source: V4[0],
      destination: V4[1],
    });
    assert.equal(read(ip("fd77::50", "ff02::2", 58, [133, 0, 0, 0]))?.kind, "other");
    assert.equal(read(ip("fd77::50", "ff02::2", 89, []))?.kind, "other");
    assert.equal(read(ethernet(0x88cc, [1, 2, 3])), undefined);
    assert.equal(read([]), undefined);
  });

  test("a frame that ends early is none", () => {
    const whole = tcp({ from: ["10.77.0.50", 1], to: ["10.77.0.21", 2], flags: "A" });
    for (let length = 0; length < whole.length; length += 1) assert.equal(read(whole.slice(0, length)), undefined);
  });

  test("whatever is captured, nothing is thrown", () => {
    const kinds = fc.constantFrom(0x0800, 0x0806, 0x86dd, 0x8100);
    fc.assert(
      fc.property(kinds, fc.uint8Array({ maxLength: 120 }), (type, bytes) => void read(ethernet(type, [...bytes]))),
    );
  });
});

test("addresses are built as they are read", () => {
  assert.equal(addressBytes("fd77::50").length, 16);
});
