/**
 * Ethernet frames as QEMU's `-netdev stream` carries them: a 4-byte big-endian length, then the frame
 * (destination, source, type, payload; no checksum). Source: QEMU 7.2 net/stream.c, net_stream_receive.
 *
 * "Wire range" below means `start` at the length prefix and `end` behind the frame's last byte: the same
 * bytes come in from one machine and go out to another, so that they are forwarded without being touched.
 */
import { assert } from "../../base/assert.ts";

export const LENGTH_PREFIX_BYTES = 4;
export const ETHERNET_HEADER_BYTES = 14;
/** QEMU ends a connection that announces more (include/net/net.h, NET_BUFSIZE); so does the switch. */
export const FRAME_BYTES_MAX = 4096 + 65536;

const DESTINATION_OFFSET = LENGTH_PREFIX_BYTES;
const SOURCE_OFFSET = LENGTH_PREFIX_BYTES + 6;
const HIGH_FACTOR = 0x1000000;
const MAC_PATTERN = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;

/** A MAC address as a number below 2^48: exact in a double, and a cheap key. */
export type Mac = number;

export function readDestination(wire: Uint8Array, start: number): Mac {
  return readMac(wire, start + DESTINATION_OFFSET);
}

export function readSource(wire: Uint8Array, start: number): Mac {
  return readMac(wire, start + SOURCE_OFFSET);
}

/** Broadcast and multicast: the lowest bit of the first byte (IEEE 802-2014, 8.2.2). */
export function isGroup(mac: Mac): boolean {
  return (Math.floor(mac / 0x10000000000) & 1) === 1;
}

function readMac(wire: Uint8Array, at: number): Mac {
  const high = ((wire[at] ?? 0) << 16) | ((wire[at + 1] ?? 0) << 8) | (wire[at + 2] ?? 0);
  const low = ((wire[at + 3] ?? 0) << 16) | ((wire[at + 4] ?? 0) << 8) | (wire[at + 5] ?? 0);
  return high * HIGH_FACTOR + low;
}

export function formatMac(mac: Mac): string {
  return mac
    .toString(16)
    .padStart(12, "0")
    .replace(/..(?!$)/g, "$&:");
}

/** Accepts lower-case hexadecimal with colons only; anything else is a bug of the caller. */
export function parseMac(text: string): Mac {
  assert(MAC_PATTERN.test(text), `not a MAC address: ${text}`);
  return Number.parseInt(text.replaceAll(":", ""), 16);
}

/** A copy of the frame with its length in front. */
export function withPrefix(frame: Uint8Array): Buffer {
  assert(frame.length <= FRAME_BYTES_MAX, `frame of ${frame.length} bytes`);
  const wire = Buffer.allocUnsafe(LENGTH_PREFIX_BYTES + frame.length);
  wire.writeUInt32BE(frame.length, 0);
  wire.set(frame, LENGTH_PREFIX_BYTES);
  return wire;
}
