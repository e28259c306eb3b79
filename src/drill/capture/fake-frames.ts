/** Frames built by hand, for tests. Checksums are left at 0: nothing here reads them. */
import type { CapturedFrame } from "./pcap.ts";

type Bytes = readonly number[];

export function u16(value: number): Bytes {
  return [(value >>> 8) & 0xff, value & 0xff];
}

export function u32(value: number): Bytes {
  return [...u16(value >>> 16), ...u16(value & 0xffff)];
}

const ADDRESS_LENGTHS = { 4: 4, 6: 16 } as const;

/** "10.77.0.50", or IPv6 with one "::" and a dozen groups at most. */
export function addressBytes(text: string): Bytes {
  if (!text.includes(":")) return text.split(".").map(Number);
  const [head = [], tail = []] = text.split("::").map((half) => half.split(":").filter((group) => group !== ""));
  const groups = [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => "0"), ...tail];
  return groups.flatMap((group) => u16(parseInt(group, 16)));
}

export function ethernet(type: number, payload: Bytes): Bytes {
  return [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, ...u16(type), ...payload];
}

export function arp(sender: string, target: string): Bytes {
  const hardware = [2, 0, 0, 0, 0, 2];
  const body = [...hardware, ...addressBytes(sender), ...hardware, ...addressBytes(target)];
  return ethernet(0x0806, [...u16(1), ...u16(0x0800), 6, 4, ...u16(1), ...body]);
}

/** IPv4 or IPv6, by the addresses. */
export function ip(source: string, destination: string, protocol: number, payload: Bytes): Bytes {
  const ends = [...addressBytes(source), ...addressBytes(destination)];
  if (ends.length === ADDRESS_LENGTHS[4] * 2) {
    const header = [0x45, 0, ...u16(20 + payload.length), ...u32(0), 64, protocol, ...u16(0), ...ends];
    return ethernet(0x0800, [...header, ...payload]);
  }
  return ethernet(0x86dd, [0x60, 0, 0, 0, ...u16(payload.length), protocol, 64, ...ends, ...payload]);
}

export interface Segment {
  readonly from: readonly [address: string, port: number];
  readonly to: readonly [address: string, port: number];
  /** Letters of FIN, SYN, RST, ACK: "F", "S", "R", "A". */
  readonly flags: string;
  readonly sequence?: number;
  readonly acknowledgement?: number;
  readonly payload?: Bytes;
  /** TCP unless told otherwise. */
  readonly protocol?: number;
}

const FLAG_BITS: Readonly<Record<string, number>> = { F: 0x01, S: 0x02, R: 0x04, A: 0x10 };

export function tcp({
  from,
  to,
  flags,
  sequence = 7,
  acknowledgement = 0,
  payload = [],
  protocol = 6,
}: Segment): Bytes {
  const bits = flags.split("").reduce((sum, flag) => sum | (FLAG_BITS[flag] ?? 0), 0);
  const header = [...u16(from[1]), ...u16(to[1]), ...u32(sequence), ...u32(acknowledgement), 0x50, bits];
  return ip(from[0], to[0], protocol, [...header, ...u16(1000), ...u32(0), ...payload]);
}

export function udp(from: readonly [string, number], to: readonly [string, number], payload: Bytes): Bytes {
  const header = [...u16(from[1]), ...u16(to[1]), ...u16(8 + payload.length), ...u16(0)];
  return ip(from[0], to[0], 17, [...header, ...payload]);
}

/** Opaque bytes or a string in XDR. */
export function xdr(body: Bytes): Bytes {
  return [...u32(body.length), ...body, ...Array.from({ length: (4 - (body.length % 4)) % 4 }, () => 0)];
}

/** The call as sm-notify sends it: no credentials. */
export function smNotify(name: string, state: number, procedure = 6, credential: Bytes = []): Bytes {
  const words = [0x1234, 0, 2, 100_024, 1, procedure].flatMap(u32);
  const auths = [...u32(0), ...xdr(credential), ...u32(0), ...u32(0)];
  return [...words, ...auths, ...xdr([...new TextEncoder().encode(name)]), ...u32(state)];
}

/** A neighbour advertisement of an address by itself. */
export function advertisement(address: string, solicited: boolean): Bytes {
  return ip(address, "ff02::1", 58, [136, 0, 0, 0, solicited ? 0x60 : 0x20, 0, 0, 0, ...addressBytes(address)]);
}

/** "Nobody listens" by `source`, about a TCP segment. */
export function unreachable(source: string, about: Segment): Bytes {
  const original = tcp(about).slice(14);
  const [protocol, head] = source.includes(":") ? [58, [1, 4]] : [1, [3, 3]];
  return ip(source, about.from[0], protocol, [...head, ...u16(0), ...u32(0), ...original]);
}

export function captured(atMs: number, bytes: Bytes): CapturedFrame {
  return { atMs, bytes: Uint8Array.from(bytes) };
}
