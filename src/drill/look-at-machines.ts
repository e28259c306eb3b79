/** What drills ask machines that no probe tells: how far their clocks are from this one, and their addresses. */
import { Fault } from "../base/fault.ts";
import { formatAddress, parseAddress } from "../model/address.ts";
import type { Clock } from "../system/clock.ts";
import { run } from "./client.ts";
import type { Machines } from "./ports.ts";

const LOOK_TIMEOUT_MS = 30_000;
const CLOCK_READINGS = 5;

export interface ClockDifference {
  /** The machine's wall clock less this one's. */
  readonly offsetMs: number;
  /** The true one is at most this far from it. */
  readonly errorMs: number;
}

/**
 * Asked several times: the reading lies somewhere between question and answer, so the quickest answer knows best. Under
 * emulation that is some 100 ms; the client's own clock is compared more exactly by other means (clocks.ts), but the
 * capture is written by this machine, which is on none of the lab's networks.
 */
export async function clockDifference(
  machines: Machines,
  clock: Pick<Clock, "wallMs">,
  machine: string,
): Promise<ClockDifference> {
  let best: ClockDifference | undefined;
  for (let reading = 0; reading < CLOCK_READINGS; reading += 1) {
    const askedMs = clock.wallMs();
    const printed = await run(machines, machine, ["date", "+%s%3N"], { timeoutMs: LOOK_TIMEOUT_MS });
    const errorMs = (clock.wallMs() - askedMs) / 2;
    const machineMs = Number(printed.trim());
    if (!Number.isInteger(machineMs)) throw unreadable(machine, "date", printed);
    if (best === undefined || errorMs < best.errorMs) best = { offsetMs: machineMs - askedMs - errorMs, errorMs };
  }
  if (best === undefined) throw unreadable(machine, "date", "");
  return best;
}

/** The latest that it can have been here when the machine's clock showed this time. */
export async function latestOnOurClockMs(
  { machines, clock }: { readonly machines: Machines; readonly clock: Pick<Clock, "wallMs"> },
  machine: string,
  machineMs: number,
): Promise<number> {
  const { offsetMs, errorMs } = await clockDifference(machines, clock, machine);
  return machineMs - offsetMs + errorMs;
}

/** Every address by which a client resolves a name, canonical. */
export async function addressesOf(machines: Machines, client: string, name: string): Promise<readonly string[]> {
  const printed = await run(machines, client, ["getent", "ahosts", name], { timeoutMs: LOOK_TIMEOUT_MS });
  return canonical(
    client,
    `getent ahosts ${name}`,
    printed.split("\n").map((line) => line.split(/\s+/)[0] ?? ""),
  );
}

/** Every address of a machine itself. */
export async function ownAddresses(machines: Machines, machine: string): Promise<readonly string[]> {
  const printed = await run(machines, machine, ["hostname", "-I"], { timeoutMs: LOOK_TIMEOUT_MS });
  return canonical(machine, "hostname -I", printed.split(/\s+/));
}

function canonical(machine: string, command: string, words: readonly string[]): readonly string[] {
  const addresses = words.flatMap((word) => {
    const address = parseAddress(word);
    return address === undefined ? [] : [formatAddress(address)];
  });
  if (addresses.length === 0) throw unreadable(machine, command, words.join(" "));
  return [...new Set(addresses)];
}

function unreadable(machine: string, command: string, printed: string): Fault {
  return new Fault({
    code: "drill-look-unreadable",
    what: `${command} on ${machine} printed ${JSON.stringify(printed)}`,
  });
}
