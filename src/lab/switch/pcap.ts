/**
 * The classic pcap file format, little-endian, microseconds, Ethernet.
 * Source: draft-ietf-opsawg-pcap (PCAP Capture File Format), pcap-savefile(5).
 */

export const PCAP_HEADER_BYTES = 24;
export const PCAP_RECORD_HEADER_BYTES = 16;

const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const VERSION_MAJOR = 2;
const VERSION_MINOR = 4;
/** tcpdump's own default: larger than any frame here, so that none is cut short. */
const SNAP_BYTES = 262_144;
const LINKTYPE_ETHERNET = 1;

export function pcapHeader(): Buffer {
  const header = Buffer.alloc(PCAP_HEADER_BYTES);
  header.writeUInt32LE(MAGIC_MICROSECONDS, 0);
  header.writeUInt16LE(VERSION_MAJOR, 4);
  header.writeUInt16LE(VERSION_MINOR, 6);
  header.writeUInt32LE(SNAP_BYTES, 16);
  header.writeUInt32LE(LINKTYPE_ETHERNET, 20);
  return header;
}

/** Writes a record's header at `at`; the frame's bytes belong right behind it. `wallMs` may carry a fraction. */
export function writeRecordHeader(into: Buffer, at: number, wallMs: number, frameBytes: number): void {
  const wallUs = Math.floor(wallMs * 1000);
  into.writeUInt32LE(Math.floor(wallUs / 1_000_000), at);
  into.writeUInt32LE(wallUs % 1_000_000, at + 4);
  into.writeUInt32LE(frameBytes, at + 8);
  into.writeUInt32LE(frameBytes, at + 12);
}
