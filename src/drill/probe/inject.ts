/** Losses caused on purpose, so that a drill can show that its oracles find them (`--inject`). */
import { existsSync, fsyncSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Loss } from "../names.ts";
import { RECORD_BYTES } from "../record.ts";
import { INJECT_FILE, type LoopConfig } from "./config.ts";

/** True once: in the round in which the loss is to be caused. */
export type Trigger = () => boolean;

export const NEVER: Trigger = () => false;

/** Fires when the drill has made the file; of a loop that injects nothing it never does, and costs nothing. */
export function triggerOf(loop: LoopConfig, logFolder: string): Trigger {
  if (loop.injects === undefined) return NEVER;
  const path = join(logFolder, INJECT_FILE);
  let fired = false;
  return () => {
    if (fired || !existsSync(path)) return false;
    fired = true;
    return true;
  };
}

const SECTOR_BYTES = 512;

/** Lost: the record is a hole. Torn: one sector in its middle is. */
export function damageRecord(descriptor: number, slot: number, loss: Loss | undefined): void {
  const torn = loss === "torn-write";
  const hole = Buffer.alloc(torn ? SECTOR_BYTES : RECORD_BYTES);
  writeSync(descriptor, hole, 0, hole.length, slot * RECORD_BYTES + (torn ? 2 * SECTOR_BYTES : 0));
  fsyncSync(descriptor);
}
