/**
 * One probe: the same small thing over and over, synchronously, in a thread of its own, so that one that hangs in the
 * kernel holds up no other. Written for a slow client: no allocation storm, no promises, one write per batch of lines.
 */
import { writeSync } from "node:fs";
import { endLine, errorLine, headerLine, successLine } from "../samples.ts";

/** What one round may give: nothing but success, a number for the log, several records, or that it was no round at all. */
export type Done = undefined | number | Acknowledged | "skipped";

export interface Acknowledged {
  /** The last of them. */
  readonly sequence: number;
  readonly records: number;
}

/** What a kind of probe brings: `once` does the thing. */
export interface Work {
  once(): Done;
  close(): void;
}

export interface LoopSettings {
  /** Stands before each line. */
  readonly name: string;
  readonly kind: string;
  readonly intervalMs: number;
  /** Descriptor of the log, on a local file system. */
  readonly logDescriptor: number;
  /** Lines wait at most this long before they are written; 0: each is written before the next round. */
  readonly flushMs: number;
}

/** Raised from another thread to end loops. */
export type StopFlag = Int32Array;

/** A workload that only fails would fill the disk with its log; by then its verdict is clear. */
const ERRORS_MAX = 2000;

export function nowUs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000_000 + Math.floor(nanoseconds / 1000);
}

export function isRaised(stop: StopFlag): boolean {
  return Atomics.load(stop, 0) !== 0;
}

/** Runs until the flag is raised. Errors of the work are written to the log; errors of the log end the loop. */
export function runLoop(settings: LoopSettings, open: () => Work, stop: StopFlag): void {
  const lines = lineWriter(settings);
  const { kind, intervalMs } = settings;
  lines.add(headerLine({ kind, intervalMs, startUs: nowUs(), wallMs: Date.now() }), nowUs());
  lines.flush();
  let work: Work;
  try {
    work = open();
  } catch (error) {
    lines.add(describeError(error, nowUs(), "setup"), nowUs());
    lines.flush();
    return;
  }
  let errors = 0;
  while (!isRaised(stop) && errors < ERRORS_MAX) {
    const startUs = nowUs();
    try {
      const done = work.once();
      const endUs = nowUs();
      if (done !== "skipped") lines.add(lineOf(done, startUs, endUs), endUs);
    } catch (error) {
      errors += 1;
      lines.add(describeError(error, startUs), nowUs());
    }
    Atomics.wait(stop, 0, 0, intervalMs);
  }
  try {
    work.close();
  } catch (error) {
    // close(2) on NFS reports what an earlier write could not: an application would see it.
    lines.add(describeError(error, nowUs(), "close"), nowUs());
  }
  lines.add(endLine(nowUs()), nowUs());
  lines.flush();
}

function lineOf(done: Exclude<Done, "skipped">, startUs: number, endUs: number): string {
  if (typeof done === "object") return successLine(endUs, endUs - startUs, done.sequence, done.records);
  return successLine(endUs, endUs - startUs, done);
}

interface LineWriter {
  add(line: string, atUs: number): void;
  flush(): void;
}

/** The log is open for appending: the kernel puts lines of several threads one after another, never into each other. */
function lineWriter({ name, logDescriptor: descriptor, flushMs }: LoopSettings): LineWriter {
  const flushUs = flushMs * 1000;
  let waiting = "";
  let flushedUs = 0;
  const flush = (): void => {
    if (waiting === "") return;
    writeSync(descriptor, waiting);
    waiting = "";
  };
  return {
    add: (line, atUs) => {
      waiting += `${name} ${line}`;
      if (atUs - flushedUs < flushUs) return;
      flush();
      flushedUs = atUs;
    },
    flush,
  };
}

function describeError(error: unknown, startUs: number, stage?: string): string {
  const { code, syscall, message } = error as { code?: unknown; syscall?: unknown; message?: unknown };
  const endUs = nowUs();
  return errorLine({
    endUs,
    durationUs: endUs - startUs,
    operation: stage ?? (typeof syscall === "string" ? syscall : "unknown"),
    code: typeof code === "string" ? code : "EUNKNOWN",
    text: typeof message === "string" ? message.slice(0, 300) : String(error),
  });
}

/** Thrown by work whose call succeeded and whose content was wrong. */
export function contentError(code: string, syscall: string, text: string): Error {
  return Object.assign(new Error(text), { code, syscall });
}
