/** Frames under way on a slow cable: first in, first out, bounded. Time comes in as an argument. */

/** What a delay line holds at most; 4 MiB at 100 ms is 40 MB/s, more than an emulated machine sends. */
export const DELAY_LINE_BYTES_MAX = 4 * 1024 * 1024;

interface HeldFrame {
  readonly wire: Buffer;
  readonly dueMs: number;
}

export interface DelayLine {
  frames: HeldFrame[];
  /** Index of the first frame still held: taking from the front costs nothing. */
  first: number;
  bytes: number;
}

export function makeDelayLine(): DelayLine {
  return { frames: [], first: 0, bytes: 0 };
}

export function isEmpty(line: DelayLine): boolean {
  return line.first === line.frames.length;
}

/** Copies the frame (the chunk it lies in may be large). Returns false when the line is full. */
export function hold(line: DelayLine, wire: Buffer, start: number, end: number, dueMs: number): boolean {
  if (line.bytes + end - start > DELAY_LINE_BYTES_MAX) return false;
  const lastDueMs = line.frames.at(-1)?.dueMs ?? 0;
  line.frames.push({ wire: Buffer.from(wire.subarray(start, end)), dueMs: Math.max(dueMs, lastDueMs) });
  line.bytes += end - start;
  return true;
}

export function nextDueMs(line: DelayLine): number | undefined {
  return line.frames[line.first]?.dueMs;
}

/** The next frame that is due, prefix and all, or undefined. */
export function takeDue(line: DelayLine, nowMs: number): Buffer | undefined {
  const held = line.frames[line.first];
  if (held === undefined || held.dueMs > nowMs) return undefined;
  line.first += 1;
  line.bytes -= held.wire.length;
  if (line.first === line.frames.length) clear(line);
  else if (line.first > 1024 && line.first * 2 > line.frames.length) {
    line.frames = line.frames.slice(line.first);
    line.first = 0;
  }
  return held.wire;
}

export function clear(line: DelayLine): number {
  const count = line.frames.length - line.first;
  line.frames = [];
  line.first = 0;
  line.bytes = 0;
  return count;
}
