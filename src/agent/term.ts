/**
 * How often the fileserver has been taken over: a number on its first volume, written before the address is open. Of
 * two nodes that say that they serve it, a director believes the higher one.
 *
 * Always the same few bytes in place: a full volume has room for them, and a sector is written whole or not at all. What
 * a power cut leaves empty was never in force, because the number is durable before it is used.
 */
import { constants } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { Fault } from "../base/fault.ts";
import { isAbsent } from "./inside.ts";
import type { StateFolder } from "./state-folder.ts";

const NAME = "term";
const RECORD_BYTES = 16;

/** 0 before the first takeover behind a director. Rejects where the file does not hold a number, or cannot be read. */
export async function readTerm(folder: StateFolder): Promise<number> {
  const text = await readFile(`${folder.path}/${NAME}`, "utf8").catch((error: unknown) => {
    if (isAbsent(error)) return "";
    throw error;
  });
  const trimmed = text.trim();
  if (trimmed === "") return 0;
  const term = Number(trimmed);
  if (Number.isSafeInteger(term) && term >= 1) return term;
  throw new Fault({
    code: "term-unreadable",
    what: `the number of takeovers of ${folder.fileserver.name} is ${JSON.stringify(trimmed.slice(0, RECORD_BYTES))}`,
    why: "a number that is guessed could be lower than that of a server that is gone",
    remedy: `write a number higher than any that the directors' logs show into .holdfast/${NAME} on its first volume`,
  });
}

/** Counts this takeover; durable when it resolves. */
export async function nextTerm(folder: StateFolder): Promise<number> {
  const term = (await readTerm(folder)) + 1;
  const file = await open(`${folder.path}/${NAME}`, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    await file.write(`${term}\n`.padEnd(RECORD_BYTES), 0);
    await file.sync();
  } finally {
    await file.close();
  }
  return term;
}
