/**
 * The 4 KiB record of the acknowledged-writes oracle: {client, sequence, checksum}.
 *
 * The sequence stands at the head of each of the eight 512-byte sectors, so that a record put together from sectors of
 * two writes fails its checksum even where the rest is the same.
 *
 *   0 magic | 4 client | 8 sequence | 12 CRC-32 of all but these four bytes | payload
 */
import { crc32 } from "node:zlib";

export const RECORD_BYTES = 4096;
const MAGIC = 0x31524648; // "HFR1" in little-endian order
const SECTOR_BYTES = 512;
const CHECKSUM_AT = 12;

/** A buffer to encode into: the payload is filled once, because filling it for each record costs time under emulation. */
export function recordBuffer(client: number): Buffer {
  const buffer = Buffer.alloc(RECORD_BYTES);
  for (let at = 0; at < RECORD_BYTES; at += 1) buffer[at] = (at * 31 + client * 7) & 0xff;
  buffer.writeUInt32LE(MAGIC, 0);
  buffer.writeUInt32LE(client >>> 0, 4);
  return buffer;
}

/** Makes a buffer of `recordBuffer` (or an encoded record) carry this sequence. */
export function encodeRecord(buffer: Buffer, sequence: number): void {
  for (let sector = SECTOR_BYTES; sector < RECORD_BYTES; sector += SECTOR_BYTES) buffer.writeUInt32LE(sequence, sector);
  buffer.writeUInt32LE(sequence, 8);
  buffer.writeUInt32LE(checksum(buffer), CHECKSUM_AT);
}

function checksum(record: Buffer): number {
  return crc32(record.subarray(CHECKSUM_AT + 4), crc32(record.subarray(0, CHECKSUM_AT)));
}

export type FoundRecord =
  | { readonly state: "whole"; readonly client: number; readonly sequence: number }
  /** Not a record, or one whose checksum is wrong. */
  | { readonly state: "torn" }
  /** Behind the end of the file, or never written (zeroes: a hole). */
  | { readonly state: "absent" };

/** `record` may be shorter than a record where the file ends. */
export function decodeRecord(record: Buffer): FoundRecord {
  if (record.length === 0 || isZero(record)) return { state: "absent" };
  if (record.length < RECORD_BYTES || record.readUInt32LE(0) !== MAGIC) return { state: "torn" };
  if (record.readUInt32LE(CHECKSUM_AT) !== checksum(record)) return { state: "torn" };
  return { state: "whole", client: record.readUInt32LE(4), sequence: record.readUInt32LE(8) };
}

function isZero(buffer: Buffer): boolean {
  for (let at = 0; at < buffer.length; at += 1) if (buffer[at] !== 0) return false;
  return true;
}
