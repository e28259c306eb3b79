import type { Clock } from "../system/clock.ts";
import type { Commands } from "../system/commands.ts";

/** What the lab needs of the world, and where it tells what it does. */
export interface LabWorld {
  readonly commands: Commands;
  readonly clock: Clock;
  readonly progress: (line: string) => void;
}
