/**
 * The program that runs on the client. One file for the bundler, one start of Node, one thread per loop:
 *
 *   probe.mjs run CONFIG.json      until SIGTERM; exit status 0 when every loop ended in good order
 *   probe.mjs verify FILE CLIENT   reads "FIRST LAST" lines of acknowledged records, prints a WritesVerdict as JSON
 *   probe.mjs look                 reads a LookRequest, prints a LookAnswer, both JSON
 *
 * Threads and not processes: under software emulation a start of Node takes seconds, and what has to be kept apart is
 * only the waiting in the kernel, which is per thread. Of what POSIX locks belong to: lock-works.ts.
 */
import { existsSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { unreachable } from "../../base/assert.ts";
import { GO_FILE, LOG_FILE, type LookRequest, type LoopConfig, type ProbeConfig } from "./config.ts";
import { triggerOf } from "./inject.ts";
import { countWork, heldWork, stealWork } from "./lock-works.ts";
import { look } from "./look.ts";
import { isRaised, runLoop, type StopFlag, type Work } from "./loop.ts";
import { treeWork } from "./tree-work.ts";
import { parseAcknowledged, verifyWrites } from "./verify.ts";
import { tickWork, watchWork } from "./watch-works.ts";
import { lockWork, openWork, readWork, writeWork } from "./works.ts";

/** Acknowledgements are written before the next round; of the others only the times matter. */
const FLUSH_MS = 150;
const GO_INTERVAL_MS = 100;

interface ThreadData {
  readonly loop: LoopConfig;
  readonly logFolder: string;
  readonly stop: SharedArrayBuffer;
}

function startThreads(config: ProbeConfig): void {
  const stop = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  const flag = new Int32Array(stop);
  const end = (): void => {
    Atomics.store(flag, 0, 1);
    Atomics.notify(flag, 0);
  };
  process.once("SIGTERM", end);
  process.once("SIGINT", end);
  for (const loop of config.loops) {
    const data: ThreadData = { loop, logFolder: config.logFolder, stop };
    const worker = new Worker(new URL(import.meta.url), { workerData: data });
    worker.on("error", (error) => {
      process.stderr.write(`probe ${loop.name}: ${error instanceof Error ? error.stack : String(error)}\n`);
      process.exitCode = 1;
    });
  }
}

function runThread({ loop, logFolder, stop }: ThreadData): void {
  const flag = new Int32Array(stop);
  if (loop.waitsForGo === true) waitForGo(logFolder, flag);
  const logDescriptor = openSync(join(logFolder, LOG_FILE), "a", 0o644);
  const { name, kind, intervalMs } = loop;
  const acknowledges = kind === "write" || kind === "count";
  const settings = { name, kind, intervalMs, logDescriptor, flushMs: acknowledges ? 0 : FLUSH_MS };
  runLoop(settings, () => workOf(loop, logFolder), flag);
}

/** Bounded by the session: the drill gives its word or ends it. */
function waitForGo(logFolder: string, stop: StopFlag): void {
  while (!isRaised(stop) && !existsSync(join(logFolder, GO_FILE))) Atomics.wait(stop, 0, 0, GO_INTERVAL_MS);
}

function workOf(loop: LoopConfig, logFolder: string): Work {
  const trigger = triggerOf(loop, logFolder);
  switch (loop.kind) {
    case "write":
      return writeWork(loop, trigger);
    case "read":
      return readWork(loop);
    case "open":
      return openWork(loop, trigger);
    case "lock":
      return lockWork(loop);
    case "tree":
      return treeWork(loop);
    case "held":
      return heldWork(loop, trigger);
    case "steal":
      return stealWork(loop);
    case "count":
      return countWork(loop, trigger);
    case "tick":
      return tickWork(loop, trigger);
    case "watch":
      return watchWork(loop);
    default:
      return unreachable(loop.kind);
  }
}

const STDIN = 0;

function main([mode, first = "", second = ""]: readonly string[]): void {
  const answer = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`);
  if (mode === "run") startThreads(JSON.parse(readFileSync(first, "utf8")) as ProbeConfig);
  else if (mode === "look") answer(look(JSON.parse(readFileSync(STDIN, "utf8")) as LookRequest));
  else if (mode === "verify") {
    const acknowledged = parseAcknowledged(readFileSync(STDIN, "utf8"));
    answer(verifyWrites({ file: first, client: Number(second), acknowledged }));
  } else {
    process.stderr.write("usage: probe run CONFIG.json | probe verify FILE CLIENT | probe look\n");
    process.exitCode = 2;
  }
}

if (isMainThread) main(process.argv.slice(2));
else runThread(workerData as ThreadData);
