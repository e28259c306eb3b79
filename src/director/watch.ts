/** Checks one server again and again, at once when somebody says that something has changed. */
import type { ServerNews } from "../balance/outlook.ts";
import type { HealthState } from "../balance/health.ts";
import type { Clock } from "../system/clock.ts";

export interface WatchParts {
  readonly clock: Clock;
  readonly timeScale: number;
  readonly intervalMs: number;
  readonly state: () => HealthState;
  readonly check: () => Promise<ServerNews>;
  readonly hear: (news: ServerNews) => Promise<unknown>;
}

export interface Watch {
  /** News that did not come from a check. What a check under way finds out is older, and is dropped. */
  tell(news: ServerNews): Promise<unknown>;
  /** Checks as soon as it can; resolves when what it found is in force. */
  look(): Promise<void>;
  stop(): void;
  /** Settles when the loop has ended; rejects with what broke it. */
  readonly ended: Promise<void>;
}

/** A server that says that it is about to serve is looked at more often, for the case that its next word is lost. */
const STARTING_INTERVAL_MS = 100;
/** Longer than any start: past it the announcement is forgotten. */
const START_BOUND_MS = 15_000;

const SLICE_MS = 500;

/** `server` is the name for events that no check has made. */
export function watchServer(server: string, parts: WatchParts): Watch {
  const { clock, timeScale } = parts;
  let told = 0;
  const end = { asked: false };
  let startingSinceMs: number | undefined;
  let wake: (() => void) | undefined;
  /** Those who wait for a check that begins after they asked. */
  let asked: (() => void)[] = [];

  const once = async (): Promise<void> => {
    const waiters = asked;
    asked = [];
    const toldBefore = told;
    const news = await parts.check();
    if (told === toldBefore && !end.asked) await parts.hear(news);
    for (const done of waiters) done();
    const nowMs = clock.monotonicMs();
    startingSinceMs = parts.state() === "starting" ? (startingSinceMs ?? nowMs) : undefined;
    if (startingSinceMs !== undefined && nowMs - startingSinceMs > START_BOUND_MS * timeScale) {
      startingSinceMs = undefined;
      await parts.hear({ server, event: "start-overdue" });
    }
  };

  /** In slices: a sleep under way keeps the process from ending. */
  const pause = async (durationMs: number): Promise<void> => {
    const endMs = clock.monotonicMs() + durationMs;
    const woke = new Promise<"woken">((resolve) => {
      wake = () => resolve("woken");
    });
    for (let restMs = durationMs; restMs > 0; restMs = endMs - clock.monotonicMs()) {
      if ((await Promise.race([clock.sleep(Math.min(restMs, SLICE_MS)), woke])) === "woken") break;
    }
    wake = undefined;
  };

  const loop = async (): Promise<void> => {
    while (!end.asked) {
      const beganMs = clock.monotonicMs();
      await once();
      if (end.asked) break;
      if (asked.length > 0) continue;
      const intervalMs = parts.state() === "starting" ? STARTING_INTERVAL_MS : parts.intervalMs;
      const restMs = Math.max(0, intervalMs * timeScale - (clock.monotonicMs() - beganMs));
      await pause(restMs);
    }
    for (const done of asked) done();
  };

  const ended = loop();
  return {
    tell: (news) => {
      told += 1;
      const heard = parts.hear(news);
      wake?.();
      return heard;
    },
    look: () =>
      new Promise((resolve) => {
        if (end.asked) {
          resolve();
          return;
        }
        asked.push(resolve);
        wake?.();
      }),
    stop: () => {
      end.asked = true;
      wake?.();
    },
    ended,
  };
}
