/** From a measured run to what a picture of it needs, small enough to be kept for every run. Pure. */
import type { Measured, MeasuredRun } from "../measure.ts";
import { PROBES, type Probe } from "../names.ts";
import type { Trace } from "./comparison.ts";

export const TRACE_STEP_MS = 50;
const BEFORE_MS = 5_000;
const AFTER_MS = 3_000;

/** Of the first client. */
export function traceOf(measured: Measured, run: MeasuredRun): Trace {
  const { startUs, endUs } = run.window;
  const endMs = Math.round((endUs - startUs) / 1000) + AFTER_MS;
  const operations: Partial<Record<Probe, readonly number[]>> = {};
  const errors = new Set<number>();
  for (const loop of measured.loops.values()) {
    const probe = PROBES.find((one) => one === loop.kind);
    const log = measured.logs.get(loop.name);
    if (loop.machine !== measured.clients[0] || log === undefined) continue;
    const stepOf = (atUs: number): readonly number[] => {
      const atMs = (atUs - startUs) / 1000;
      return atMs < -BEFORE_MS || atMs > endMs ? [] : [Math.floor(atMs / TRACE_STEP_MS) * TRACE_STEP_MS];
    };
    for (const error of log.errors) for (const atMs of stepOf(error.endUs)) errors.add(atMs);
    if (probe === undefined) continue;
    const seen = new Set([...(operations[probe] ?? []), ...log.successes.flatMap((one) => stepOf(one.endUs))]);
    operations[probe] = [...seen].toSorted((a, b) => a - b);
  }
  return {
    operations,
    errors: [...errors].toSorted((a, b) => a - b),
    endMs,
    ...(run.timelineZeroUs === undefined ? {} : { timelineAtMs: Math.round((run.timelineZeroUs - startUs) / 1000) }),
  };
}
