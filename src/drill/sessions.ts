/** The probe sessions of all clients of a drill, followed together. Each client has a monotonic clock of its own. */
import { waitFor, type Clock } from "../system/clock.ts";
import type { ClientPlan } from "./client-plan.ts";
import type { ProbeLog } from "./samples.ts";
import type { Session } from "./session.ts";

/** By client: its monotonic time, microseconds. */
export type Times = ReadonlyMap<string, number>;

export interface Sessions {
  /** Of every loop, also those of clients that are gone. */
  readonly logs: ReadonlyMap<string, ProbeLog>;
  /** Clients that are alive. */
  alive(): readonly string[];
  of(client: string): Session | undefined;
  /** Rejects when the program of a living client has ended. */
  poll(): Promise<Times>;
  pollUntil(what: string, timeoutMs: number, done: (now: Times) => boolean): Promise<boolean>;
  signal(word: Parameters<Session["signal"]>[0]): Promise<void>;
  /** Of a client that was taken away on purpose: what it had logged stays, and it is asked no more. */
  forget(client: string): void;
  stop(): Promise<void>;
}

export interface SessionsSettings {
  readonly clock: Clock;
  readonly pollIntervalMs: number;
}

export async function startSessions(
  { clock, pollIntervalMs }: SessionsSettings,
  plans: readonly ClientPlan[],
  start: (plan: ClientPlan) => Promise<Session>,
): Promise<Sessions> {
  const started = await Promise.allSettled(plans.map(async (plan) => [plan.machine, await start(plan)] as const));
  const sessions = new Map(started.flatMap((one) => (one.status === "fulfilled" ? [one.value] : [])));
  const failed = started.find((one) => one.status === "rejected");
  if (failed !== undefined) {
    await Promise.allSettled([...sessions.values()].map((session) => session.stop()));
    throw failed.reason;
  }
  const logs = new Map([...sessions.values()].flatMap((session) => [...session.logs]));
  const all = <T>(ask: (session: Session) => Promise<T>): Promise<readonly (readonly [string, T])[]> =>
    Promise.all([...sessions].map(async ([client, session]) => [client, await ask(session)] as const));
  const poll = async (): Promise<Times> => new Map(await all((session) => session.poll()));
  return {
    logs,
    alive: () => [...sessions.keys()],
    of: (client) => sessions.get(client),
    poll,
    pollUntil: async (what, timeoutMs, done) => {
      const bound = { what, timeoutMs, intervalMs: pollIntervalMs };
      return (await waitFor(clock, bound, async () => (done(await poll()) ? true : undefined))) === true;
    },
    signal: async (word) => void (await all((session) => session.signal(word))),
    forget: (client) => void sessions.delete(client),
    stop: async () => void (await all((session) => session.stop())),
  };
}
