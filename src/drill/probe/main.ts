/**
 * The program that runs on the client. One file for the bundler, one start of Node, one thread per loop:
 *
 *   probe.mjs run CONFIG.json      until SIGTERM; exit status 0 when every loop ended in good order
 *   probe.mjs verify FILE LOG CLIENT     prints a WritesVerdict as JSON
 *
 * Threads and not processes: under software emulation a start of Node takes seconds, and what has to be kept apart is
 * only the waiting in the kernel, which is per thread. POSIX locks belong to the process, but only one loop per mount
 * uses lock files, and nothing else opens them.
 */
import { openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { unreachable } from "../../base/assert.ts";
import type { LoopConfig, ProbeConfig } from "./config.ts";
import { runLoop, type Work } from "./loop.ts";
import { treeWork } from "./tree-work.ts";
import { verifyWrites } from "./verify.ts";
import { lockWork, openWork, readWork, writeWork } from "./works.ts";

/** Acknowledgements are written before the next round; of the others only the times matter. */
const FLUSH_MS = 150;

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
  const logDescriptor = openSync(join(logFolder, `${loop.name}.log`), "a", 0o644);
  const flushMs = loop.kind === "write" ? 0 : FLUSH_MS;
  const settings = { kind: loop.kind, intervalMs: loop.intervalMs, logDescriptor, flushMs };
  runLoop(settings, () => workOf(loop), new Int32Array(stop));
}

function workOf(loop: LoopConfig): Work {
  switch (loop.kind) {
    case "write":
      return writeWork(loop);
    case "read":
      return readWork(loop);
    case "open":
      return openWork(loop);
    case "lock":
      return lockWork(loop);
    case "tree":
      return treeWork(loop);
    default:
      return unreachable(loop.kind);
  }
}

function main(args: readonly string[]): void {
  const [mode, first = "", second = "", third = ""] = args;
  if (mode === "run") startThreads(JSON.parse(readFileSync(first, "utf8")) as ProbeConfig);
  else if (mode === "verify") {
    const verdict = verifyWrites({ file: first, log: second, client: Number(third) });
    process.stdout.write(`${JSON.stringify(verdict)}\n`);
  } else {
    process.stderr.write("usage: probe run CONFIG.json | probe verify FILE LOG CLIENT\n");
    process.exitCode = 2;
  }
}

if (isMainThread) main(process.argv.slice(2));
else runThread(workerData as ThreadData);
