/** A move that fails half way: clients must not stay without their fileserver, and agents come back by themselves. */
import { Fault, messageOf } from "../base/fault.ts";
import { waitFor, type Clock } from "../system/clock.ts";
import type { AgentClient } from "../wire/client.ts";

/** What is needed of a node here. */
export interface MoveEnd {
  readonly name: string;
  readonly agent: Pick<AgentClient, "takeover" | "release">;
}

export interface HalfMove {
  readonly fileserver: string;
  readonly source: MoveEnd;
  readonly destination: MoveEnd;
  readonly clock: Clock;
}

/** systemd starts an agent again after a second; Node's start takes up to ten under emulation. */
const GIVE_BACK_TIMEOUT_MS = 90_000;
/** The standby is made anew after a release, which keeps a node busy for a moment. */
export const WHEN_FREE_TIMEOUT_MS = 60_000;
const INTERVAL_MS = 500;

/** The target has got as far as the volumes or the address. */
const TAKEN_CODES: readonly string[] = ["volume-reserved", "address-taken"];
const PASSING_CODES: readonly string[] = ["agent-unreachable", "fileserver-busy"];

function hasCode(error: unknown, codes: readonly string[]): boolean {
  return error instanceof Fault && codes.includes(error.code);
}

/**
 * What was half released is released whole and taken over again where it was; what the target has of it is released
 * there first. Always rejects: the move has failed, with or without the fileserver in service again.
 */
export async function giveBack(half: HalfMove, what: string, cause: unknown): Promise<never> {
  const { fileserver, source, destination, clock } = half;
  let last: unknown;
  const bound = { what: "the way back", timeoutMs: GIVE_BACK_TIMEOUT_MS, intervalMs: INTERVAL_MS };
  const outcome = await waitFor(clock, bound, async () => {
    try {
      await source.agent.takeover(fileserver);
      return "served";
    } catch (error) {
      last = error;
      if (!hasCode(error, [...TAKEN_CODES, ...PASSING_CODES])) return "failed";
      if (hasCode(error, TAKEN_CODES)) {
        await destination.agent.release(fileserver).catch((refused: unknown) => {
          last = refused;
        });
      }
      return undefined;
    }
  });
  if (outcome === "served") {
    throw new Fault({
      kind: cause instanceof Fault ? cause.kind : "failed",
      code: "move-undone",
      what: `${what}; ${source.name} serves it again`,
      remedy: "mend what is said above, then try again",
      cause,
    });
  }
  throw new Fault({
    code: "move-not-undone",
    what: `${what}, and ${source.name} could not take it back: nobody serves ${fileserver}`,
    why: messageOf(cause),
    remedy: `mend what is said above, then bring it into service: holdfast move ${fileserver} NODE`,
    cause: last,
  });
}

/** Asks again while the node is busy with a run that ends by itself. */
export async function whenFree<T>(clock: Clock, ask: () => Promise<T>): Promise<T> {
  let busy: unknown;
  const bound = { what: "the node", timeoutMs: WHEN_FREE_TIMEOUT_MS, intervalMs: INTERVAL_MS };
  const answer = await waitFor(clock, bound, async () => {
    try {
      return { value: await ask() };
    } catch (error) {
      if (!hasCode(error, ["fileserver-busy"])) throw error;
      busy = error;
      return undefined;
    }
  });
  if (answer === undefined) throw busy;
  return answer.value;
}
