/**
 * How far a node's clock is from that of a recording, by the pings with which the drill compares the client's and the
 * node's clocks (clocks.ts): they cross the recorded network, and the node has written into them when it got and sent
 * them (the timestamp option of IPv4 with addresses; RFC 791, section 3.1). As exact as the way from the switch to the
 * node is short, where asking for the time over SSH takes a tenth of a second under emulation. Pure.
 */
import { median } from "../pause.ts";
import { ipv4At, PROTOCOL_ICMP, readFrame, TYPE_IPV4 } from "./packet.ts";
import type { CapturedFrame } from "./pcap.ts";

const IPV4_HEADER_BYTES = 20;
const ECHO_REPLY = 0;
const ECHO_REQUEST = 8;
const OPTION_TIMESTAMP = 68;
const WITH_ADDRESSES = 1;
const OPTION_HEADER_BYTES = 4;
const STAMP_BYTES = 8;
const DAY_MS = 86_400_000;

interface Echo {
  readonly type: number;
  readonly source: string;
  readonly destination: string;
  /** Identifier and sequence number. */
  readonly number: number;
  /** Milliseconds since midnight UTC. */
  readonly stampsMs: readonly number[];
}

/** Node's clock less the recording's, in milliseconds; the median over the pings of this client. */
export function pingedClockOffsetMs(frames: readonly CapturedFrame[], client: readonly string[]): number | undefined {
  const requestedMs = new Map<number, number>();
  const offsets: number[] = [];
  for (const { atMs, bytes } of frames) {
    const echo = readEcho(bytes);
    if (echo?.type === ECHO_REQUEST && client.includes(echo.source)) requestedMs.set(echo.number, atMs);
    if (echo?.type !== ECHO_REPLY || !client.includes(echo.destination)) continue;
    const askedMs = requestedMs.get(echo.number);
    // The client's own comes first; it writes the fourth when it gets this answer.
    const [, inMs, outMs] = echo.stampsMs;
    if (askedMs === undefined || inMs === undefined || outMs === undefined) continue;
    offsets.push((sinceMidnight(inMs - askedMs) + sinceMidnight(outMs - atMs)) / 2);
  }
  return median(offsets);
}

/** The difference of a time of the day and a time since 1970, taken as less than half a day. */
function sinceMidnight(differenceMs: number): number {
  return differenceMs - Math.round(differenceMs / DAY_MS) * DAY_MS;
}

/** Undefined for everything but a ping with stamps and addresses. */
function readEcho(frame: Uint8Array): Echo | undefined {
  return readFrame(frame, (type, ip) => {
    if (type !== TYPE_IPV4) return undefined;
    const headerBytes = (ip.getUint8(0) & 0x0f) * 4;
    if (ip.getUint8(9) !== PROTOCOL_ICMP || ip.getUint8(IPV4_HEADER_BYTES) !== OPTION_TIMESTAMP) return undefined;
    return {
      type: ip.getUint8(headerBytes),
      source: ipv4At(ip, 12),
      destination: ipv4At(ip, 16),
      number: ip.getUint32(headerBytes + 4),
      stampsMs: readStamps(ip),
    };
  });
}

/** The pointer counts from 1 and says where the next stamp would go. */
function readStamps(ip: DataView): readonly number[] {
  const pointer = ip.getUint8(IPV4_HEADER_BYTES + 2);
  if ((ip.getUint8(IPV4_HEADER_BYTES + 3) & 0x0f) !== WITH_ADDRESSES) return [];
  const stamps: number[] = [];
  for (let at = OPTION_HEADER_BYTES; at + STAMP_BYTES < pointer; at += STAMP_BYTES) {
    stamps.push(ip.getUint32(IPV4_HEADER_BYTES + at + 4));
  }
  return stamps;
}
