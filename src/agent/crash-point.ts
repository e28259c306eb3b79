/** Drills of crash points: dies as with kill -9 where a file says. Absent on every other day. */
import { readFile, rm } from "node:fs/promises";
import type { Step } from "../failover/step.ts";
import { PLACES } from "./places.ts";

export async function crashPoint(step: Step): Promise<void> {
  const wanted = await readFile(PLACES.crashPoint, "utf8").catch(() => undefined);
  if (wanted?.trim() !== step.id) return;
  await rm(PLACES.crashPoint, { force: true });
  process.kill(process.pid, "SIGKILL");
}
