/** One look at files after the fault, in a process that holds nothing itself: are held locks held, what does a counter say? */
import { closeSync, constants, openSync } from "node:fs";
import { RECORD_BYTES } from "../record.ts";
import type { LookAnswer, LookRequest } from "./config.ts";
import { readRecord } from "./lock-works.ts";
import { alignedBuffer, openByteLocks } from "./posix-lock.ts";

export function look(request: LookRequest): LookAnswer {
  const free: Record<string, number> = {};
  for (const { loop, file, locks } of request.held) free[loop] = countFree(file, locks);
  if (request.counter === undefined) return { free };
  const counter = readCounter(request.counter);
  return counter === undefined ? { free } : { free, counter };
}

function countFree(file: string, count: number): number {
  const locks = openByteLocks();
  const descriptor = openSync(file, constants.O_RDWR);
  try {
    let free = 0;
    for (let at = 0; at < count; at += 1) if (!locks.isHeldByAnother(descriptor, at * 2)) free += 1;
    return free;
  } finally {
    closeSync(descriptor);
  }
}

function readCounter(file: string): number | undefined {
  const descriptor = openSync(file, constants.O_RDONLY | constants.O_DIRECT);
  try {
    const found = readRecord(descriptor, alignedBuffer(RECORD_BYTES, RECORD_BYTES));
    return found.state === "whole" ? found.sequence : undefined;
  } finally {
    closeSync(descriptor);
  }
}
