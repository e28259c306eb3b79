/** Reads back, past the client's cache, every record that the write probe acknowledged. */
import { closeSync, constants, openSync, readSync } from "node:fs";
import { checkWrites, type WritesVerdict } from "../oracles.ts";
import { decodeRecord, RECORD_BYTES } from "../record.ts";
import { alignedBuffer } from "./posix-lock.ts";

export interface VerifySettings {
  /** The file on the mount. */
  readonly file: string;
  readonly client: number;
  /** Sequences in the order in which they were acknowledged. */
  readonly acknowledged: readonly number[];
}

/** One read for so many records: a round trip for each would take minutes under emulation. */
const CHUNK_RECORDS = 256;

export function verifyWrites({ file, client, acknowledged }: VerifySettings): WritesVerdict {
  const descriptor = openSync(file, constants.O_RDONLY | constants.O_DIRECT);
  const buffer = alignedBuffer(CHUNK_RECORDS * RECORD_BYTES, RECORD_BYTES);
  let chunk = { first: -1, bytes: 0 };
  try {
    return checkWrites(acknowledged, client, (sequence) => {
      const first = sequence - (sequence % CHUNK_RECORDS);
      if (chunk.first !== first) chunk = { first, bytes: readWhole(descriptor, buffer, first * RECORD_BYTES) };
      const at = (sequence - first) * RECORD_BYTES;
      return decodeRecord(buffer.subarray(Math.min(at, chunk.bytes), Math.min(at + RECORD_BYTES, chunk.bytes)));
    });
  } finally {
    closeSync(descriptor);
  }
}

/** A server may answer with less than was asked for (rsize); only nothing is the end of the file. */
function readWhole(descriptor: number, buffer: Buffer, position: number): number {
  let bytes = 0;
  while (bytes < buffer.length) {
    const count = readSync(descriptor, buffer, bytes, buffer.length - bytes, position + bytes);
    if (count === 0) break;
    bytes += count;
  }
  return bytes;
}

/** "FIRST LAST" per line, in the order of acknowledgement: the drill has the logs, whichever client wrote them. */
export function parseAcknowledged(text: string): readonly number[] {
  const sequences: number[] = [];
  for (const line of text.split("\n").filter((one) => one !== "")) {
    const [first = Number.NaN, last = Number.NaN] = line.split(" ").map(Number);
    for (let sequence = first; sequence <= last; sequence += 1) sequences.push(sequence);
  }
  return sequences;
}
