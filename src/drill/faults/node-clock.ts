/** What a machine's journal says, on the clock of the drill: the recordings of the network are on that one. */
import type { Clock } from "../../system/clock.ts";
import type { Machines } from "../ports.ts";

const ASKED_TIMES = 3;
const TIMEOUT_MS = 20_000;

/**
 * The latest that it can have been when the machine's clock showed this time: by the quickest of a few answers, whose way
 * back is taken as the whole of what it took. Undefined where the machine does not tell its time.
 */
export async function latestOnOurClockMs(
  { machines, clock }: { readonly machines: Machines; readonly clock: Pick<Clock, "wallMs"> },
  machine: string,
  machineMs: number,
): Promise<number | undefined> {
  let latestMs: number | undefined;
  for (let asked = 0; asked < ASKED_TIMES; asked += 1) {
    const { status, stdout } = await machines.exec(machine, ["date", "+%s.%N"], { timeoutMs: TIMEOUT_MS });
    const answeredMs = clock.wallMs();
    if (status !== 0 || !/^\d+\.\d+$/.test(stdout.trim())) return undefined;
    const aheadMs = Number(stdout) * 1000 - answeredMs;
    latestMs = Math.min(latestMs ?? Infinity, machineMs - aheadMs);
  }
  return latestMs;
}
