/**
 * What an Ethernet frame says, as far as the wire check asks: who resolves and announces addresses (ARP, RFC 826;
 * neighbour advertisements, RFC 4861), TCP's flags (RFC 9293), datagrams, and answers that nothing listens (ICMP). Pure.
 */
import { formatAddress } from "../../model/address.ts";

interface IpPacket {
  readonly source: string;
  readonly destination: string;
}

export interface ArpPacket {
  readonly kind: "arp";
  /** Sender's and target's protocol addresses. */
  readonly source: string;
  readonly destination: string;
}

export interface AdvertisementPacket extends IpPacket {
  readonly kind: "advertisement";
  readonly target: string;
  /** In answer to a solicitation. */
  readonly solicited: boolean;
}

export interface TcpPacket extends IpPacket {
  readonly kind: "tcp";
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly fin: boolean;
  readonly syn: boolean;
  readonly reset: boolean;
  readonly ack: boolean;
  readonly payload: Uint8Array;
}

export interface UdpPacket extends IpPacket {
  readonly kind: "udp";
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: Uint8Array;
}

/** "Destination unreachable"; `about` is whom the packet that it answers was for. */
export interface UnreachablePacket extends IpPacket {
  readonly kind: "unreachable";
  readonly about: { readonly address: string; readonly protocol: number };
}

/** Anything else that has an IP source; fragments behind the first are among them. */
export interface OtherPacket extends IpPacket {
  readonly kind: "other";
}

export type Packet = ArpPacket | AdvertisementPacket | TcpPacket | UdpPacket | UnreachablePacket | OtherPacket;

const ETHERNET_HEADER_BYTES = 14;
const VLAN_TAG_BYTES = 4;
export const TYPE_IPV4 = 0x0800;
const TYPE_ARP = 0x0806;
const TYPE_VLAN = 0x8100;
const TYPE_IPV6 = 0x86dd;
export const PROTOCOL_ICMP = 1;
export const PROTOCOL_TCP = 6;
const PROTOCOL_UDP = 17;
const PROTOCOL_ICMPV6 = 58;

/** Undefined for what is none of these, and for frames that end before their headers do. */
export function readPacket(frame: Uint8Array): Packet | undefined {
  return readFrame(frame, (type, content) => {
    switch (type) {
      case TYPE_ARP:
        return readArp(content);
      case TYPE_IPV4:
        return readIpv4(content);
      case TYPE_IPV6:
        return readIpv6(content);
      default:
        return undefined;
    }
  });
}

/** What `read` makes of an Ethernet frame, by its type and what is in it; undefined also for a frame that ends too early. */
export function readFrame<T>(
  frame: Uint8Array,
  read: (type: number, content: DataView) => T | undefined,
): T | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  try {
    const tagged = view.getUint16(12) === TYPE_VLAN ? VLAN_TAG_BYTES : 0;
    return read(view.getUint16(12 + tagged), part(view, ETHERNET_HEADER_BYTES + tagged));
  } catch (error) {
    // DataView throws where a frame is shorter than its headers say.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function part(view: DataView, from: number, to = view.byteLength): DataView {
  // Ethernet pads short frames: what the header counts is what there is.
  return new DataView(view.buffer, view.byteOffset + from, Math.min(to, view.byteLength) - from);
}

function bytesOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function readArp(view: DataView): Packet | undefined {
  const ethernetAndIpv4 = view.getUint16(0) === 1 && view.getUint16(2) === TYPE_IPV4;
  if (!ethernetAndIpv4) return undefined;
  return { kind: "arp", source: ipv4At(view, 14), destination: ipv4At(view, 24) };
}

export function ipv4At(view: DataView, at: number): string {
  return formatAddress({ family: 4, value: BigInt(view.getUint32(at)) });
}

function ipv6At(view: DataView, at: number): string {
  return formatAddress({ family: 6, value: (view.getBigUint64(at) << 64n) | view.getBigUint64(at + 8) });
}

function readIpv4(view: DataView): Packet {
  const headerBytes = (view.getUint8(0) & 0x0f) * 4;
  const ends = { source: ipv4At(view, 12), destination: ipv4At(view, 16) };
  const isFirst = (view.getUint16(6) & 0x1fff) === 0;
  if (!isFirst) return { kind: "other", ...ends };
  return readTransport(view.getUint8(9), part(view, headerBytes, view.getUint16(2)), ends);
}

const IPV6_HEADER_BYTES = 40;
const FRAGMENT_HEADER = 44;
/** Hop-by-hop, routing and destination options: each says which follows and how long it is (RFC 8200, section 4). */
const OPTION_HEADERS: readonly number[] = [0, 43, 60];

function readIpv6(view: DataView): Packet {
  const ends = { source: ipv6At(view, 8), destination: ipv6At(view, 24) };
  const end = IPV6_HEADER_BYTES + view.getUint16(4);
  let next = view.getUint8(6);
  let at = IPV6_HEADER_BYTES;
  for (;;) {
    if (OPTION_HEADERS.includes(next)) {
      next = view.getUint8(at);
      at += (view.getUint8(at + 1) + 1) * 8;
    } else if (next === FRAGMENT_HEADER) {
      if (view.getUint16(at + 2) >> 3 !== 0) return { kind: "other", ...ends };
      next = view.getUint8(at);
      at += 8;
    } else {
      return readTransport(next, part(view, at, end), ends);
    }
  }
}

function readTransport(protocol: number, view: DataView, ends: IpPacket): Packet {
  switch (protocol) {
    case PROTOCOL_TCP:
      return readTcp(view, ends);
    case PROTOCOL_UDP:
      return {
        kind: "udp",
        ...ends,
        sourcePort: view.getUint16(0),
        destinationPort: view.getUint16(2),
        payload: bytesOf(part(view, 8)),
      };
    case PROTOCOL_ICMP:
      return readIcmp(view, ends);
    case PROTOCOL_ICMPV6:
      return readIcmpv6(view, ends);
    default:
      return { kind: "other", ...ends };
  }
}

function readTcp(view: DataView, ends: IpPacket): TcpPacket {
  const flags = view.getUint8(13);
  return {
    kind: "tcp",
    ...ends,
    sourcePort: view.getUint16(0),
    destinationPort: view.getUint16(2),
    sequence: view.getUint32(4),
    acknowledgement: view.getUint32(8),
    fin: (flags & 0x01) !== 0,
    syn: (flags & 0x02) !== 0,
    reset: (flags & 0x04) !== 0,
    ack: (flags & 0x10) !== 0,
    payload: bytesOf(part(view, (view.getUint8(12) >> 4) * 4)),
  };
}

const ICMP_UNREACHABLE = 3;

/** The packet that could not be delivered comes back behind 8 bytes (RFC 792). */
function readIcmp(view: DataView, ends: IpPacket): Packet {
  if (view.getUint8(0) !== ICMP_UNREACHABLE) return { kind: "other", ...ends };
  return { kind: "unreachable", ...ends, about: { address: ipv4At(view, 8 + 16), protocol: view.getUint8(8 + 9) } };
}

const ICMPV6_UNREACHABLE = 1;
const NEIGHBOUR_ADVERTISEMENT = 136;

function readIcmpv6(view: DataView, ends: IpPacket): Packet {
  switch (view.getUint8(0)) {
    case ICMPV6_UNREACHABLE:
      return { kind: "unreachable", ...ends, about: { address: ipv6At(view, 8 + 24), protocol: view.getUint8(8 + 6) } };
    case NEIGHBOUR_ADVERTISEMENT:
      return { kind: "advertisement", ...ends, target: ipv6At(view, 8), solicited: (view.getUint8(4) & 0x40) !== 0 };
    default:
      return { kind: "other", ...ends };
  }
}
