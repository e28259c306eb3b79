/**
 * The log that a probe writes on the client, outside NFS: one line per thing that happened, times in microseconds of
 * CLOCK_MONOTONIC, which all programs of one machine share.
 *
 *   h KIND INTERVAL_MS MONOTONIC_US WALL_MS     the loop began
 *   s END_US DURATION_US [SEQUENCE]             one success; of `write` the acknowledged sequence
 *   e END_US DURATION_US OPERATION CODE TEXT…   an error that an application would have seen
 *   x END_US                                    the loop ended in good order
 */

export interface Header {
  readonly kind: string;
  readonly intervalMs: number;
  readonly startUs: number;
  readonly wallMs: number;
}

export interface Success {
  readonly endUs: number;
  readonly durationUs: number;
  /** Of `write`: the record that this success acknowledges. */
  readonly sequence?: number;
}

export interface ProbeError {
  readonly endUs: number;
  readonly durationUs: number;
  readonly operation: string;
  /** The name of an errno ("EIO"), or our own word in capitals ("ESTALECONTENT"). */
  readonly code: string;
  readonly text: string;
}

/** Everything one loop wrote, in the order written. Grows while the loop runs. */
export interface ProbeLog {
  header: Header | undefined;
  readonly successes: Success[];
  readonly errors: ProbeError[];
  endedUs: number | undefined;
  /** Lines that are none of the above: a torn log is told, never skipped. */
  readonly strange: string[];
}

export function emptyLog(): ProbeLog {
  return { header: undefined, successes: [], errors: [], endedUs: undefined, strange: [] };
}

export function headerLine(header: Header): string {
  return `h ${header.kind} ${header.intervalMs} ${Math.round(header.startUs)} ${Math.round(header.wallMs)}\n`;
}

export function successLine(endUs: number, durationUs: number, sequence?: number): string {
  return sequence === undefined ? `s ${endUs} ${durationUs}\n` : `s ${endUs} ${durationUs} ${sequence}\n`;
}

export function errorLine(error: ProbeError): string {
  const text = error.text.replaceAll(/\s+/g, " ");
  return `e ${error.endUs} ${error.durationUs} ${error.operation} ${error.code} ${text}\n`;
}

export function endLine(endUs: number): string {
  return `x ${endUs}\n`;
}

const NUMBER = /^\d+$/;

function isNumber(word: string | undefined): word is string {
  return word !== undefined && NUMBER.test(word);
}

/**
 * Adds the whole lines of `text` to the log and returns how many characters they were; what follows the last newline
 * is left for the next time, because the writer may be in the middle of it.
 */
export function readLines(log: ProbeLog, text: string): number {
  const end = text.lastIndexOf("\n") + 1;
  if (end === 0) return 0;
  for (const line of text.slice(0, end - 1).split("\n")) if (!readLine(log, line)) log.strange.push(line.slice(0, 200));
  return end;
}

function readLine(log: ProbeLog, line: string): boolean {
  const words = line.split(" ");
  const [kind, first, second, third] = words;
  if (kind === "s" && isNumber(first) && isNumber(second) && (words.length === 3 || isNumber(third))) {
    const success = { endUs: Number(first), durationUs: Number(second) };
    log.successes.push(third === undefined ? success : { ...success, sequence: Number(third) });
    return words.length <= 4;
  }
  if (kind === "e" && isNumber(first) && isNumber(second) && third !== undefined && words[4] !== undefined) {
    const [endUs, durationUs] = [Number(first), Number(second)];
    log.errors.push({ endUs, durationUs, operation: third, code: words[4], text: words.slice(5).join(" ") });
    return true;
  }
  if (kind === "x" && isNumber(first) && words.length === 2) {
    log.endedUs = Number(first);
    return true;
  }
  if (kind === "h" && first !== undefined && isNumber(second) && isNumber(third) && isNumber(words[4])) {
    log.header = { kind: first, intervalMs: Number(second), startUs: Number(third), wallMs: Number(words[4]) };
    return words.length === 5;
  }
  return false;
}

/** One log as a whole, for tests and small logs. */
export function parseLog(text: string): ProbeLog {
  const log = emptyLog();
  readLines(log, text);
  return log;
}
