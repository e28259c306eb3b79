/**
 * The log that a probe writes on the client, outside NFS: one line per thing that happened, times in microseconds of
 * CLOCK_MONOTONIC, which all programs of one machine share. All loops of a session write to one file, each line behind
 * its loop's name, so that following them costs the client one process and not one for each loop.
 *
 *   h KIND INTERVAL_MS MONOTONIC_US WALL_MS     the loop began
 *   s END_US DURATION_US [SEQUENCE]             one success; of `write` the acknowledged sequence, or FIRST-LAST of several;
 *                                               of `held` and `lock` how many locks are held; of `count` the value written
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
  /** Of `write`: the record that this success acknowledges, the last one where there are several. */
  readonly sequence?: number;
  /** Of `write`: how many records were acknowledged, up to `sequence`; 1 where it is not said. */
  readonly records?: number;
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

export function successLine(endUs: number, durationUs: number, sequence?: number, records = 1): string {
  if (sequence === undefined) return `s ${endUs} ${durationUs}\n`;
  const acknowledged = records === 1 ? String(sequence) : `${sequence - records + 1}-${sequence}`;
  return `s ${endUs} ${durationUs} ${acknowledged}\n`;
}

/** First and last record that a success acknowledges; undefined where it acknowledges none. */
export function acknowledgedBy({ sequence, records = 1 }: Success): readonly [number, number] | undefined {
  return sequence === undefined ? undefined : [sequence - records + 1, sequence];
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

/** The same for the file of a whole session. A line of no known loop is strange to the first. */
export function readSessionLines(logs: ReadonlyMap<string, ProbeLog>, text: string): number {
  const end = text.lastIndexOf("\n") + 1;
  if (end === 0) return 0;
  for (const line of text.slice(0, end - 1).split("\n")) {
    const nameEnd = line.indexOf(" ");
    const log = logs.get(line.slice(0, Math.max(0, nameEnd)));
    if (log === undefined) [...logs.values()][0]?.strange.push(line.slice(0, 200));
    else if (!readLine(log, line.slice(nameEnd + 1))) log.strange.push(line.slice(0, 200));
  }
  return end;
}

function readLine(log: ProbeLog, line: string): boolean {
  const words = line.split(" ");
  const [kind, first, second, third] = words;
  if (kind === "s" && isNumber(first) && isNumber(second) && words.length <= 4) {
    const acknowledged = third === undefined ? {} : readAcknowledged(third);
    if (acknowledged === undefined) return false;
    log.successes.push({ endUs: Number(first), durationUs: Number(second), ...acknowledged });
    return true;
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

/** "7", or "4-7" for four records. */
function readAcknowledged(word: string): Pick<Success, "sequence" | "records"> | undefined {
  if (isNumber(word)) return { sequence: Number(word) };
  const match = /^(\d+)-(\d+)$/.exec(word);
  const [first, last] = [Number(match?.[1]), Number(match?.[2])];
  return last > first ? { sequence: last, records: last - first + 1 } : undefined;
}

/** One log as a whole, for tests and small logs. */
export function parseLog(text: string): ProbeLog {
  const log = emptyLog();
  readLines(log, text);
  return log;
}
