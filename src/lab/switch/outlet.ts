/**
 * The sending side of one connected machine: merges, queues, and drops what the machine does not read.
 *
 * Frames that lie next to each other in one chunk and go to the same machine leave as one write without a copy: the
 * bytes are the same on both sides. This makes a bulk transfer cost one system call per chunk rather than per frame.
 */
import type { Socket } from "node:net";

/**
 * What waits for one machine at most. A real card's ring holds some hundred frames; this is larger because an emulated
 * machine stops reading for tens of milliseconds at a time, and a loss there costs TCP a retransmission timeout.
 */
export const PORT_QUEUE_BYTES_MAX = 4 * 1024 * 1024;

/** While a machine lags behind, smaller pieces of a buffer are copied out: else 60 waiting bytes pin a 64 KiB chunk. */
const PIN_FACTOR_MAX = 4;

export interface Outlet {
  readonly socket: Socket;
  /** The run of adjacent frames not yet written. */
  run: Buffer | undefined;
  runStart: number;
  runEnd: number;
  corked: boolean;
  /** In the switch's list of outlets to flush. */
  dirty: boolean;
}

export function makeOutlet(socket: Socket): Outlet {
  return { socket, run: undefined, runStart: 0, runEnd: 0, corked: false, dirty: false };
}

/**
 * Takes a wire range; the caller flushes every dirty outlet before it returns to the event loop.
 * Returns false when the queue is full.
 */
export function offer(outlet: Outlet, dirty: Outlet[], wire: Buffer, start: number, end: number): boolean {
  const runBytes = outlet.runEnd - outlet.runStart;
  if (outlet.socket.writableLength + runBytes + end - start > PORT_QUEUE_BYTES_MAX) return false;
  if (outlet.run === wire && outlet.runEnd === start) {
    outlet.runEnd = end;
    return true;
  }
  if (outlet.run !== undefined) {
    // A second piece in this round: gather, so that all of them leave in one writev.
    if (!outlet.corked) outlet.socket.cork();
    outlet.corked = true;
    writeRun(outlet, outlet.run);
  }
  outlet.run = wire;
  outlet.runStart = start;
  outlet.runEnd = end;
  if (!outlet.dirty) {
    outlet.dirty = true;
    dirty.push(outlet);
  }
  return true;
}

export function flushAll(dirty: Outlet[]): void {
  for (const outlet of dirty) {
    outlet.dirty = false;
    if (outlet.run !== undefined) writeRun(outlet, outlet.run);
    outlet.run = undefined;
    outlet.runStart = 0;
    outlet.runEnd = 0;
    if (outlet.corked) outlet.socket.uncork();
    outlet.corked = false;
  }
  dirty.length = 0;
}

function writeRun(outlet: Outlet, run: Buffer): void {
  const { socket, runStart, runEnd } = outlet;
  if (!socket.writable) return;
  const piece = run.subarray(runStart, runEnd);
  const pins = socket.writableLength > 0 && piece.length * PIN_FACTOR_MAX < run.buffer.byteLength;
  socket.write(pins ? Buffer.from(piece) : piece);
}
