/**
 * Runs test files in this one process and tells descriptor 3 (when it is open) about every test:
 * one JSON document per line, `TestReport` in stages.ts, an "end" at the end.
 *
 *   node scripts/run-tests.ts [--quiet] FILE…
 *
 * People read stdout: every test as it ends, or with --quiet only those that did not pass.
 */
import { fstatSync, writeSync } from "node:fs";
import { resolve } from "node:path";
import { run } from "node:test";
import { inspect } from "node:util";
import type { TestReport } from "./stages.ts";

const REPORT_DESCRIPTOR = 3;

interface TestError extends Error {
  readonly failureType?: string;
}

interface Ended {
  readonly name: string;
  readonly nesting: number;
  readonly file?: string | undefined;
  readonly line?: number | undefined;
  readonly skip?: string | boolean | undefined;
  readonly todo?: string | boolean | undefined;
  readonly details: { readonly duration_ms: number; readonly type?: string | undefined; readonly error?: TestError };
}

function descriptorIsOpen(descriptor: number): boolean {
  try {
    const stats = fstatSync(descriptor);
    return stats.isFIFO() || stats.isSocket();
  } catch {
    return false;
  }
}

const words = process.argv.slice(2);
const quiet = words.includes("--quiet");
const files = words.filter((word) => !word.startsWith("--")).map((file) => resolve(file));
const reporting = descriptorIsOpen(REPORT_DESCRIPTOR);

function report(document: TestReport): void {
  if (reporting) writeSync(REPORT_DESCRIPTOR, `${JSON.stringify(document)}\n`);
}

function printFailure(event: Ended): void {
  const error = event.details.error;
  const story = error === undefined ? "no error given" : inspect(error.cause ?? error, { depth: 6, breakLength: 120 });
  const place = event.file === undefined ? "" : ` (${event.file}:${event.line ?? 0})`;
  process.stdout.write(`not ok  ${event.name}${place}\n${story.replaceAll(/^/gm, "        ")}\n`);
}

/** A suite's failure only repeats that of its tests, unless the suite itself failed (a hook, or loading the file). */
function isOnlyOfChildren(event: Ended): boolean {
  return event.details.error?.failureType === "subtestsFailed";
}

/** Out of time, the runner sends SIGTERM: say what was running, for nothing else would tell. */
const running = new Set<string>();
process.once("SIGTERM", () => {
  process.stdout.write(`ended from outside while running: ${[...running].join(", ") || "no test"}\n`);
  process.exit(1);
});

for await (const { type, data } of run({ files, isolation: "none" })) {
  if (type === "test:dequeue") running.add(data.name);
  if (type === "test:pass" || type === "test:fail") running.delete(data.name);
  if (type === "test:pass") {
    const event = data as Ended;
    if (event.details.type === "suite") continue;
    const leftOut = (event.skip ?? event.todo ?? false) !== false;
    report({ kind: leftOut ? "skipped" : "passed", name: event.name });
    const seconds = (event.details.duration_ms / 1000).toFixed(1);
    if (leftOut) process.stdout.write(`skipped ${event.name}\n`);
    else if (!quiet) process.stdout.write(`ok      ${event.name}  ${seconds} s\n`);
  } else if (type === "test:fail") {
    const event = data as Ended;
    process.exitCode = 1;
    if (isOnlyOfChildren(event)) continue;
    report({ kind: "failed", name: event.name });
    printFailure(event);
  } else if (type === "test:stdout" || type === "test:stderr") {
    process.stdout.write((data as { readonly message: string }).message);
  }
}
report({ kind: "end" });
