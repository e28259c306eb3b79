/**
 * Virtual time. Whatever happens is an event with its moment; the next one is taken, and time is then its moment.
 *
 * Everything that waits is a task: a generator that yields how long it sleeps, or what it waits for. A task belongs to
 * an owner. An owner that has ended never goes on; one that is frozen goes on when it is thawed, with everything that
 * had become due meanwhile, as a virtual machine does.
 */

export interface Events {
  nowMs: number;
  /** How many have happened. */
  count: number;
  /** @param owner whose time it is; what has none happens whatever becomes of anybody. */
  at(atMs: number, run: () => void, owner?: Owner): void;
  /** Lets the next event happen; false where there is none. */
  next(): boolean;
}

interface Entry {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
  readonly owner: Owner | undefined;
}

/** A binary heap by moment, then by the order in which events were asked for. */
export function openEvents(): Events {
  const heap: Entry[] = [];
  let order = 0;
  const before = (a: Entry, b: Entry): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
  const events: Events = {
    nowMs: 0,
    count: 0,
    at(atMs, run, owner) {
      const entry = { atMs: Math.max(atMs, events.nowMs), order: order++, run, owner };
      let index = heap.length;
      while (index > 0) {
        const above = (index - 1) >> 1;
        const parent = heap[above] as Entry;
        if (!before(entry, parent)) break;
        heap[index] = parent;
        index = above;
      }
      heap[index] = entry;
    },
    next() {
      const first = heap[0];
      if (first === undefined) return false;
      const last = heap.pop() as Entry;
      if (heap.length > 0) sink(heap, last, before);
      events.nowMs = first.atMs;
      events.count += 1;
      if (first.owner === undefined) first.run();
      else resume(first.owner, first.run);
      return true;
    },
  };
  return events;
}

function sink(heap: Entry[], entry: Entry, before: (a: Entry, b: Entry) => boolean): void {
  let index = 0;
  for (;;) {
    const left = 2 * index + 1;
    if (left >= heap.length) break;
    const right = left + 1;
    const child = right < heap.length && before(heap[right] as Entry, heap[left] as Entry) ? right : left;
    if (!before(heap[child] as Entry, entry)) break;
    heap[index] = heap[child] as Entry;
    index = child;
  }
  heap[index] = entry;
}

/** Whose time it is: a boot of a node, an agent's process, a client, or the world itself. */
export interface Owner {
  living: boolean;
  frozen: boolean;
  /** What became due while it was frozen. */
  readonly deferred: (() => void)[];
  /** An agent lives no longer than its node, and is frozen with it. */
  readonly host?: Owner;
}

export function newOwner(host?: Owner): Owner {
  return { living: true, frozen: false, deferred: [], ...(host === undefined ? {} : { host }) };
}

export function resume(owner: Owner, run: () => void): void {
  if (!owner.living || owner.host?.living === false) return;
  if (owner.frozen) owner.deferred.push(() => resume(owner, run));
  else if (owner.host?.frozen === true) owner.host.deferred.push(() => resume(owner, run));
  else run();
}

export function after(events: Events, owner: Owner, delayMs: number, run: () => void): void {
  events.at(events.nowMs + delayMs, run, owner);
}

/** Something that tasks wait for; it happens to all who wait at that moment. */
export interface Signal {
  readonly waiting: (() => void)[];
}

export function newSignal(): Signal {
  return { waiting: [] };
}

export function raise(signal: Signal): void {
  if (signal.waiting.length === 0) return;
  for (const go of signal.waiting.splice(0)) go();
}

/** Yields milliseconds to sleep, or a signal to wait for. */
export type Task<T = void> = Generator<number | Signal, T, void>;

export function spawn<T>(events: Events, owner: Owner, task: Task<T>, done?: (value: T) => void): void {
  const advance = (): void => {
    const { done: ended, value } = task.next();
    if (ended === true) done?.(value);
    else if (typeof value === "number") after(events, owner, value, advance);
    else value.waiting.push(() => resume(owner, advance));
  };
  resume(owner, advance);
}

/** Waits for the signal, at most so long. True where it came in time. */
export function* waitAtMost(events: Events, owner: Owner, signal: Signal, boundMs: number): Task<boolean> {
  const either = newSignal();
  let came = false;
  let over = false;
  signal.waiting.push(() => {
    if (over) return;
    came = true;
    raise(either);
  });
  after(events, owner, boundMs, () => {
    over = true;
    if (!came) raise(either);
  });
  yield either;
  return came;
}
