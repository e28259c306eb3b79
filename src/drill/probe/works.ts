/** The four probes. Each keeps its files in a folder of its own on the mount. */
import {
  closeSync,
  constants,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { WRONG_CONTENT } from "../oracles.ts";
import { decodeRecord, encodeRecord, RECORD_BYTES, recordBuffer } from "../record.ts";
import type { LoopConfig } from "./config.ts";
import { damageRecord, NEVER, type Trigger } from "./inject.ts";
import { contentError, type Work } from "./loop.ts";
import { alignedBuffer, openByteLocks } from "./posix-lock.ts";

export type WorkSettings = Pick<LoopConfig, "directory" | "client" | "heldLocks" | "recordsPerRound" | "injects">;

/** The file that `write` leaves for verification; slot N holds record N. */
export const WRITE_FILE = "acknowledged.dat";
const READ_FILE = "uncached.dat";
const READ_RECORDS = 1024;
/** Steps through the file so that neighbours are never read one after another: read-ahead of any kind has no use. */
const READ_STRIDE = 389;
const OPEN_FILES_KEPT = 8;
const LOCK_RANGES = 64;

/** A held file: records written and fsynced together per round. The returned sequences are acknowledged. */
export function writeWork(settings: WorkSettings, trigger: Trigger = NEVER): Work {
  mkdirSync(settings.directory, { recursive: true });
  const descriptor = openSync(join(settings.directory, WRITE_FILE), "w+", 0o644);
  const { recordsPerRound: records = 1, client, injects } = settings;
  const size = records * RECORD_BYTES;
  const buffer = Buffer.concat(Array.from({ length: records }, () => recordBuffer(client)));
  let sequence = 0;
  return {
    once: () => {
      for (let at = 0; at < records; at += 1) {
        encodeRecord(buffer.subarray(at * RECORD_BYTES, (at + 1) * RECORD_BYTES), sequence + at);
      }
      const written = writeSync(descriptor, buffer, 0, size, sequence * RECORD_BYTES);
      if (written !== size) throw contentError("ESHORT", "write", `${written} of ${size} bytes`);
      fsyncSync(descriptor);
      // Slot 0 was acknowledged in the first round: whatever happens to it now is a loss.
      if (trigger()) damageRecord(descriptor, 0, injects);
      sequence += records;
      return { sequence: sequence - 1, records };
    },
    close: () => closeSync(descriptor),
  };
}

/** Reads of a held file past the client's cache (O_DIRECT), each checked against what has to stand there. */
export function readWork(settings: WorkSettings): Work {
  mkdirSync(settings.directory, { recursive: true });
  const path = join(settings.directory, READ_FILE);
  writeReadFile(path, settings.client);
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECT);
  const buffer = alignedBuffer(RECORD_BYTES, RECORD_BYTES);
  let at = 0;
  return {
    once: () => {
      at = (at + READ_STRIDE) % READ_RECORDS;
      const count = readSync(descriptor, buffer, 0, RECORD_BYTES, at * RECORD_BYTES);
      const found = decodeRecord(buffer.subarray(0, count));
      if (found.state === "whole" && found.sequence === at) return undefined;
      throw contentError(WRONG_CONTENT, "read", `record ${at} of ${READ_FILE}: ${JSON.stringify(found)}`);
    },
    close: () => closeSync(descriptor),
  };
}

function writeReadFile(path: string, client: number): void {
  const descriptor = openSync(path, "w", 0o644);
  const chunk = Buffer.alloc(64 * RECORD_BYTES);
  const record = recordBuffer(client);
  for (let first = 0; first < READ_RECORDS; first += 64) {
    for (let slot = 0; slot < 64; slot += 1) {
      encodeRecord(record, first + slot);
      record.copy(chunk, slot * RECORD_BYTES);
    }
    writeSync(descriptor, chunk, 0, chunk.length, first * RECORD_BYTES);
  }
  fsyncSync(descriptor);
  closeSync(descriptor);
}

/** A new file created, opened and closed per round, and an old one unlinked. */
export function openWork(settings: WorkSettings, trigger: Trigger = NEVER): Work {
  mkdirSync(settings.directory, { recursive: true });
  const pathOf = (number: number): string => join(settings.directory, `new-${settings.client}-${number}`);
  let number = 0;
  let oldest = 0;
  return {
    once: () => {
      const path = pathOf(number);
      // Injected: a file that is there already under a name that has to be new.
      if (trigger()) closeSync(openSync(path, "w", 0o644));
      // The name is used up even if the call fails: a retry must not meet a half-made file of its own.
      number += 1;
      closeSync(openSync(path, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o644));
      if (number - oldest > OPEN_FILES_KEPT) {
        const old = pathOf(oldest);
        oldest += 1;
        unlinkSync(old);
      }
      return undefined;
    },
    close: () => undefined,
  };
}

/**
 * An exclusive lock of one byte taken and given back per round, while `heldLocks` others stay held; a success says how
 * many those are. Under a delegation the client answers by itself: drills that ask how soon a new LOCK is granted have
 * another client keep the file open (LoopConfig.keepsOpen).
 */
export function lockWork(settings: WorkSettings): Work {
  mkdirSync(settings.directory, { recursive: true });
  const locks = openByteLocks();
  const held = openSync(join(settings.directory, `held-${settings.client}.lock`), "w+", 0o644);
  ftruncateSync(held, settings.heldLocks * 2);
  for (let range = 0; range < settings.heldLocks; range += 1) locks.lock(held, range * 2);
  const probed = openSync(probedLockFile(settings), "w+", 0o644);
  let range = 0;
  return {
    once: () => {
      range = (range + 1) % LOCK_RANGES;
      locks.lock(probed, range * 2);
      locks.unlock(probed, range * 2);
      return settings.heldLocks;
    },
    close: () => {
      closeSync(probed);
      // EIO here tells that the kernel gave the held locks up (NFS_LOCK_LOST, fs/nfs/nfs4state.c).
      if (settings.heldLocks > 0) writeSync(held, "held");
      if (settings.heldLocks > 0) fsyncSync(held);
      closeSync(held);
    },
  };
}

/** The file whose bytes a lock loop takes in turn. */
export function probedLockFile({ directory, client }: Pick<LoopConfig, "directory" | "client">): string {
  return join(directory, `probed-${client}.lock`);
}
