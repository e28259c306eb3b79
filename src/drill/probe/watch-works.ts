/** The stale-read oracle: one client writes a rising counter, others read it past their caches, and it never goes back. */
import { closeSync, constants, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { STALE_CONTENT, WRONG_CONTENT } from "../oracles.ts";
import { RECORD_BYTES, recordBuffer } from "../record.ts";
import type { LoopConfig } from "./config.ts";
import { NEVER, type Trigger } from "./inject.ts";
import { readRecord, writeRecord } from "./lock-works.ts";
import { contentError, type Work } from "./loop.ts";
import { alignedBuffer } from "./posix-lock.ts";

const { O_CREAT, O_DIRECT, O_RDWR } = constants;
const TICK_FILE = "tick.dat";

function openTick(directory: string): number {
  mkdirSync(directory, { recursive: true });
  return openSync(join(directory, TICK_FILE), O_RDWR | O_CREAT | O_DIRECT, 0o644);
}

/** How long the injected old value stands: several of a watcher's rounds, however slow the machine. */
const OLD_VALUE_ROUNDS = 6;

/** Writes the next value and makes it safe. */
export function tickWork(settings: LoopConfig, trigger: Trigger = NEVER): Work {
  const descriptor = openTick(settings.directory);
  const record = alignedBuffer(RECORD_BYTES, RECORD_BYTES);
  recordBuffer(settings.client).copy(record);
  let value = 0;
  return {
    once: () => {
      value += 1;
      writeRecord(descriptor, record, value);
      if (trigger()) {
        writeRecord(descriptor, record, 0);
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, OLD_VALUE_ROUNDS * settings.intervalMs);
      }
      return value;
    },
    close: () => closeSync(descriptor),
  };
}

/** Reads it with O_DIRECT. What was seen once must be there for ever. */
export function watchWork(settings: LoopConfig): Work {
  const descriptor = openTick(settings.directory);
  const buffer = alignedBuffer(RECORD_BYTES, RECORD_BYTES);
  let seen = 0;
  const look = (): number => {
    // A file system may let a reader see half of a write that is under way (POSIX says no, ext4 does): it is asked again.
    const first = readRecord(descriptor, buffer);
    const found = first.state === "torn" ? readRecord(descriptor, buffer) : first;
    if (found.state === "torn") throw contentError(WRONG_CONTENT, "read", `${TICK_FILE} is no whole record`);
    return found.state === "absent" ? 0 : found.sequence;
  };
  return {
    once: () => {
      const value = look();
      if (value < seen) throw contentError(STALE_CONTENT, "read", `${TICK_FILE} is ${value}, seen before was ${seen}`);
      seen = value;
      return value;
    },
    close: () => closeSync(descriptor),
  };
}
