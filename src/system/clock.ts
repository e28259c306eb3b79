/** Time as an argument. Wall time is for people and logs; every duration and bound uses monotonic time. */
export interface Clock {
  /** Milliseconds since some fixed point in the past; never goes back, whatever happens to the wall clock. */
  monotonicMs(): number;
  /** Milliseconds since 1970-01-01 UTC. */
  wallMs(): number;
  sleep(durationMs: number): Promise<void>;
}

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  sleep: (durationMs) => new Promise((resolve) => setTimeout(resolve, durationMs)),
};

export interface Bound {
  /** What is waited for, as it stands after "timed out waiting for". */
  readonly what: string;
  readonly timeoutMs: number;
  readonly intervalMs: number;
}

/**
 * Polls a level (never an edge) until `probe` gives a value, or the bound is reached.
 * Returns `undefined` at the bound: the caller decides what that means and says so.
 */
export async function waitFor<T>(
  clock: Clock,
  bound: Bound,
  probe: () => Promise<T | undefined>,
): Promise<T | undefined> {
  const endMs = clock.monotonicMs() + bound.timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined) return value;
    if (clock.monotonicMs() >= endMs) return undefined;
    await clock.sleep(bound.intervalMs);
  }
}
