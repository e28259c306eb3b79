/**
 * Which NLM locks stay, and which come and go. A lock that is taken and given back all the time looks, at some moments,
 * like one that is held: two looks find it. If a takeover then waits for it although nobody holds it any more, everybody
 * waits until the grace's limit. So a lock that was once seen to go counts as held only after it has stayed for long.
 * Pure.
 */

export interface LockMemory {
  /** Keys of the look before; undefined where nobody has looked: then none is known to be passing. */
  readonly last: ReadonlySet<string> | undefined;
  /** Of those that were seen to go. */
  readonly passing: ReadonlyMap<string, Passing>;
}

interface Passing {
  readonly there: boolean;
  /** When it came or went last; monotonic. */
  readonly sinceMs: number;
}

/** Not watched is not known: every lock counts as held. */
export const UNWATCHED: LockMemory = { last: undefined, passing: new Map() };
/** Before the first look of a watch: what that sees may be gone in a moment. */
export const NOTHING_SEEN: LockMemory = { last: new Set(), passing: new Map() };

/** Staying for so long, it is held; gone for so long, it is another one when it comes back. */
export const STAYS_MS = 10_000;
const FORGOTTEN_MS = 60_000;
/** A ledger is no log: of a server with so many short locks at once those that came first are forgotten first. */
const PASSING_MAX = 10_000;

/** Found in two looks running, or known to be held from the entry before, and not one of those that come and go. */
export function isSteady({ last, passing }: LockMemory, key: string, before: ReadonlySet<string>): boolean {
  if (last === undefined) return true;
  return !passing.has(key) && (last.has(key) || before.has(key));
}

/** Time alone will tell of some lock: one that came back is held when it has stayed. */
export function awaitsTime({ passing }: LockMemory): boolean {
  return [...passing.values()].some(({ there }) => there);
}

/** After a look. While locks are awaited, one that is missing has not come back yet, which is not to have gone. */
export function remember(
  memory: LockMemory,
  keys: readonly string[],
  { nowMs, awaiting }: { readonly nowMs: number; readonly awaiting: boolean },
): LockMemory {
  const now = new Set(keys);
  const passing = new Map<string, Passing>();
  for (const [key, past] of memory.passing) {
    const there = now.has(key);
    const sinceMs = there === past.there ? past.sinceMs : nowMs;
    if (nowMs - sinceMs < (there ? STAYS_MS : FORGOTTEN_MS)) passing.set(key, { there, sinceMs });
  }
  if (!awaiting)
    for (const key of memory.last ?? [])
      if (!now.has(key) && !passing.has(key)) passing.set(key, { there: false, sinceMs: nowMs });
  const surplus = passing.size - PASSING_MAX;
  return { last: now, passing: surplus > 0 ? new Map([...passing].slice(surplus)) : passing };
}
