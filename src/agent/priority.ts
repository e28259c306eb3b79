/**
 * An agent starts at a low priority (Nice= of its unit): what it does until it answers is seconds of computing on a small
 * or busy machine, and clients must not feel that it is being restarted. From then on it is as urgent as what it serves.
 */
import { readdirSync } from "node:fs";
import { setPriority } from "node:os";

const NORMAL = 0;

/** Every thread has a priority of its own (setpriority(2), "C library/kernel differences"), and hands it on to what it starts. */
export function goToNormalPriority(): void {
  for (const thread of readdirSync("/proc/self/task")) {
    try {
      setPriority(Number(thread), NORMAL);
    } catch {
      // A thread that has just ended; or an agent that is not root's, which cannot serve anyway.
    }
  }
}
