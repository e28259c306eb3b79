/**
 * Writes what crosses one network into a pcap file.
 *
 * Records gather in one buffer and are written synchronously, some hundred KiB at a time, into the page cache: cheaper
 * than a stream of small writes, bounded, and a stopped capture is complete when `stopCapture` returns.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { Fault, messageOf } from "../../base/fault.ts";
import type { Clock } from "../../system/clock.ts";
import type { Observe } from "./domain.ts";
import { FRAME_BYTES_MAX, LENGTH_PREFIX_BYTES } from "./frame.ts";
import { PCAP_HEADER_BYTES, PCAP_RECORD_HEADER_BYTES, pcapHeader, writeRecordHeader } from "./pcap.ts";

const BATCH_BYTES = 256 * 1024;
/** How long a record may wait in the batch, so that the file can be followed while it grows. */
const FLUSH_INTERVAL_MS = 250;

export interface CaptureOptions {
  readonly file: string;
  /** Recording ends before the file would grow past this. */
  readonly maxBytes?: number | undefined;
  /** Also record frames that no port took: lost by a rule, queue full, nobody connected. */
  readonly includeDropped?: boolean | undefined;
  /** Only what this machine sent. */
  readonly from?: string | undefined;
}

export interface CaptureState {
  readonly file: string;
  readonly frames: number;
  /** Size of the file when everything so far is written. */
  readonly bytes: number;
  /** Why nothing more is recorded: maxBytes reached, or the disk's error. */
  readonly endedBecause?: string;
}

export interface Capture {
  readonly observe: Observe;
  readonly state: () => CaptureState;
  /** Writes the rest and closes the file. Throws a Fault `switch-capture-failed` when that is not possible. */
  readonly stop: () => CaptureState;
}

/** Overwrites the file, as tcpdump does. Throws a Fault `switch-capture-failed` when it cannot be written. */
export function startCapture(options: CaptureOptions, clock: Clock): Capture {
  const descriptor = attempt(options.file, () => {
    const opened = openSync(options.file, "w", 0o600);
    writeSync(opened, pcapHeader());
    return opened;
  });
  const batch = Buffer.allocUnsafe(BATCH_BYTES);
  // The wall clock counts whole milliseconds and may jump; the monotonic one does neither.
  const wallOffsetMs = clock.wallMs() - clock.monotonicMs();
  const maxBytes = options.maxBytes ?? Infinity;
  let batchBytes = 0;
  let frames = 0;
  let bytes = PCAP_HEADER_BYTES;
  let endedBecause: string | undefined;

  const state = (): CaptureState => ({
    file: options.file,
    frames,
    bytes,
    ...(endedBecause === undefined ? {} : { endedBecause }),
  });
  const flush = (): void => {
    const end = batchBytes;
    batchBytes = 0;
    for (let at = 0; at < end;) at += writeSync(descriptor, batch, at, end - at);
  };
  // On the fast path a full disk ends the capture, never the network.
  const flushOrEnd = (): void => {
    try {
      flush();
    } catch (error) {
      endedBecause = messageOf(error);
    }
  };
  const timer = setInterval(flushOrEnd, FLUSH_INTERVAL_MS).unref();

  return {
    state,
    observe: (wire, start, end, crossed, from) => {
      if (options.from !== undefined && options.from !== from) return;
      if (endedBecause !== undefined || (!crossed && options.includeDropped !== true)) return;
      const frameBytes = end - start - LENGTH_PREFIX_BYTES;
      const recordBytes = PCAP_RECORD_HEADER_BYTES + frameBytes;
      if (bytes + recordBytes > maxBytes) {
        endedBecause = `the file has reached ${maxBytes} bytes`;
        return;
      }
      if (batchBytes + PCAP_RECORD_HEADER_BYTES + FRAME_BYTES_MAX > BATCH_BYTES) flushOrEnd();
      writeRecordHeader(batch, batchBytes, wallOffsetMs + clock.monotonicMs(), frameBytes);
      wire.copy(batch, batchBytes + PCAP_RECORD_HEADER_BYTES, start + LENGTH_PREFIX_BYTES, end);
      batchBytes += recordBytes;
      bytes += recordBytes;
      frames += 1;
    },
    stop: () => {
      clearInterval(timer);
      return attempt(options.file, () => {
        try {
          flush();
        } finally {
          closeSync(descriptor);
        }
        return state();
      });
    },
  };
}

function attempt<T>(file: string, deed: () => T): T {
  try {
    return deed();
  } catch (error) {
    throw new Fault({
      code: "switch-capture-failed",
      what: `cannot write the capture ${file}: ${messageOf(error)}`,
      remedy: "name a file in an existing, writable folder with room on its disk",
      cause: error,
    });
  }
}
