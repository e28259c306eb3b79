/**
 * Work with locks of several clients: held ones, tries to get what others hold, and a counter that is right only as long
 * as a lock has one holder.
 *
 * POSIX locks belong to a process and an inode, and closing any descriptor of the inode gives them all back (fcntl(2)).
 * Mounts with `nosharecache` have inodes of their own, so the loops of one process are apart as long as no two of them
 * use locks of one file through one mount: a steal loop has only other clients' files.
 */
import { closeSync, constants, fsyncSync, mkdirSync, openSync, readSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { GRANTED_TWICE, WRONG_CONTENT } from "../oracles.ts";
import { decodeRecord, encodeRecord, RECORD_BYTES, recordBuffer, type FoundRecord } from "../record.ts";
import type { HeldFile, LoopConfig } from "./config.ts";
import { NEVER, type Trigger } from "./inject.ts";
import { contentError, type Work } from "./loop.ts";
import { alignedBuffer, openByteLocks, type ByteLocks } from "./posix-lock.ts";

const { O_CREAT, O_DIRECT, O_RDWR } = constants;

/** Locks of the first bytes; the record that is written through the same descriptor stands behind them. */
const HELD_RECORD_AT = RECORD_BYTES;
const COUNTER_FILE = "counter.dat";

export function heldFile({ directory, client }: Pick<LoopConfig, "directory" | "client">): string {
  return join(directory, `held-${client}.lock`);
}

export function counterFile(directory: string): string {
  return join(directory, COUNTER_FILE);
}

/**
 * Takes its locks once and keeps them. Each round writes through the locked descriptor: the kernel's client gives EIO
 * to the holder of a v4 lock that it could not reclaim (NFS_LOCK_LOST, fs/nfs/nfs4state.c). A success says how many are held.
 */
export function heldWork(settings: LoopConfig, trigger: Trigger = NEVER): Work {
  const locks = openByteLocks();
  const kept = (settings.keepsOpen ?? []).map(openForAll);
  const path = heldFile(settings);
  const descriptor = openForAll(path);
  let held = 0;
  for (; held < settings.heldLocks; held += 1) locks.lock(descriptor, held * 2);
  const record = recordBuffer(settings.client);
  let sequence = 0;
  return {
    once: () => {
      encodeRecord(record, sequence);
      writeSync(descriptor, record, 0, RECORD_BYTES, HELD_RECORD_AT);
      fsyncSync(descriptor);
      sequence += 1;
      // Injected: any close of the file gives every lock of the process back, and nothing tells the program.
      if (trigger()) closeSync(openSync(path, O_RDWR));
      return held;
    },
    close: () => {
      for (const each of [...kept, descriptor]) closeSync(each);
    },
  };
}

/** Made when missing, never cut: whichever client comes first, both have the same file. */
function openForAll(path: string): number {
  mkdirSync(dirname(path), { recursive: true });
  return openSync(path, O_RDWR | O_CREAT, 0o644);
}

/** One after the other: a round of a hundred would be a burst that the emulated server feels. */
export const STEALS_PER_ROUND = 5;

/** Tries, in rotation and without waiting, to get what other clients hold. That it is refused is the success. */
export function stealWork(settings: LoopConfig): Work {
  const locks = openByteLocks();
  const targets = (settings.victims ?? []).map((victim) => ({ ...victim, descriptor: openForAll(victim.file) }));
  for (const target of targets) requireHeld(locks, target, target.descriptor);
  const bytes = targets.flatMap((target) =>
    Array.from({ length: target.locks }, (_, at) => ({ target, offset: at * 2 })),
  );
  let at = 0;
  return {
    once: () => {
      for (let tries = 0; tries < Math.min(STEALS_PER_ROUND, bytes.length); tries += 1) {
        const byte = bytes[at];
        at = (at + 1) % bytes.length;
        if (byte === undefined || !locks.tryLock(byte.target.descriptor, byte.offset)) continue;
        locks.unlock(byte.target.descriptor, byte.offset);
        throw contentError(GRANTED_TWICE, "lock", `byte ${byte.offset} of ${byte.target.file}, which another holds`);
      }
      return undefined;
    },
    close: () => {
      for (const { descriptor } of targets) closeSync(descriptor);
    },
  };
}

/** The drill gives its word when all locks are held; a lock that is free then was never there to be lost. */
function requireHeld(locks: ByteLocks, { file, locks: count }: HeldFile, descriptor: number): void {
  for (const offset of [0, (count - 1) * 2]) {
    if (!locks.isHeldByAnother(descriptor, offset))
      throw contentError("ENOTHELD", "getlk", `byte ${offset} of ${file}`);
  }
}

/** How long the injected double grant lasts: other clients count on meanwhile. */
const GRANTED_TWICE_ROUNDS = 5;

/**
 * Counts up under a lock: reads past the cache, adds one, writes, and gives the lock back. A success says which value
 * was written; no value may be written twice, and none may be missing. A lock that another has is no success.
 */
export function countWork(settings: LoopConfig, trigger: Trigger = NEVER): Work {
  const locks = openByteLocks();
  mkdirSync(settings.directory, { recursive: true });
  const descriptor = openSync(counterFile(settings.directory), O_RDWR | O_CREAT | O_DIRECT, 0o644);
  const read = alignedBuffer(RECORD_BYTES, RECORD_BYTES);
  const write = alignedBuffer(RECORD_BYTES, RECORD_BYTES);
  recordBuffer(settings.client).copy(write);
  const countUp = (betweenMs: number): number => {
    const value = valueOf(readRecord(descriptor, read)) + 1;
    if (betweenMs > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, betweenMs);
    writeRecord(descriptor, write, value);
    return value;
  };
  return {
    once: () => {
      // Injected: what a server that granted the lock twice would bring about.
      if (trigger()) return countUp(GRANTED_TWICE_ROUNDS * settings.intervalMs);
      if (!locks.tryLock(descriptor, 0)) return "skipped";
      try {
        return countUp(0);
      } finally {
        locks.unlock(descriptor, 0);
      }
    },
    close: () => closeSync(descriptor),
  };
}

function valueOf(found: FoundRecord): number {
  if (found.state === "torn") throw contentError(WRONG_CONTENT, "read", "the counter is no whole record");
  return found.state === "absent" ? 0 : found.sequence;
}

/** Of a file that is one record; the descriptor is open with O_DIRECT. */
export function readRecord(descriptor: number, buffer: Buffer): FoundRecord {
  return decodeRecord(buffer.subarray(0, readSync(descriptor, buffer, 0, RECORD_BYTES, 0)));
}

export function writeRecord(descriptor: number, buffer: Buffer, sequence: number): void {
  encodeRecord(buffer, sequence);
  const written = writeSync(descriptor, buffer, 0, RECORD_BYTES, 0);
  if (written !== RECORD_BYTES) throw contentError("ESHORT", "write", `${written} of ${RECORD_BYTES} bytes`);
  fsyncSync(descriptor);
}
