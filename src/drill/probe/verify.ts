/** Reads back, past the client's cache, every record that the write probe acknowledged. */
import { closeSync, constants, openSync, readFileSync, readSync } from "node:fs";
import { checkWrites, type WritesVerdict } from "../oracles.ts";
import { decodeRecord, RECORD_BYTES } from "../record.ts";
import { parseLog } from "../samples.ts";
import { alignedBuffer } from "./posix-lock.ts";

export interface VerifySettings {
  /** The file on the mount. */
  readonly file: string;
  /** The log of acknowledgements, on the client's own disk. */
  readonly log: string;
  readonly client: number;
}

export function verifyWrites(settings: VerifySettings): WritesVerdict {
  const acknowledged = parseLog(readFileSync(settings.log, "utf8")).successes.map((success) => success.sequence ?? -1);
  const descriptor = openSync(settings.file, constants.O_RDONLY | constants.O_DIRECT);
  const buffer = alignedBuffer(RECORD_BYTES, RECORD_BYTES);
  try {
    return checkWrites(acknowledged, settings.client, (sequence) => {
      const count = readSync(descriptor, buffer, 0, RECORD_BYTES, sequence * RECORD_BYTES);
      return decodeRecord(buffer.subarray(0, count));
    });
  } finally {
    closeSync(descriptor);
  }
}
