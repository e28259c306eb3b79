/**
 * How far a node's clock is from the client's, so that the node's timeline and the client's gap can be laid over each
 * other. Machines of a lab start with clocks that differ by up to seconds, and nothing may be set right during a drill.
 *
 * By the timestamp option of IPv4 (RFC 791, 3.1), which the kernels on both sides fill in: client out, node in, node
 * out, client in, in milliseconds since midnight UTC. No program has to be started on the node.
 */
import type { Timeline } from "../wire/timeline.ts";
import { median } from "./pause.ts";
import type { Machines } from "./ports.ts";
import type { Header } from "./samples.ts";

const PINGS = 5;
const PING_TIMEOUT_MS = 20_000;
/** Further apart than this is no difference of clocks but midnight between two stamps. */
const OFFSET_MAX_MS = 12 * 3_600_000;

/** Node's clock less client's, in milliseconds; undefined where it cannot be measured (no answer, another ping). */
export async function clockOffsetMs(machines: Machines, client: string, node: string): Promise<number | undefined> {
  const argv = ["ping", "-4", "-n", "-c", String(PINGS), "-i", "0.2", "-W", "2", "-T", "tsandaddr", node];
  const result = await machines.exec(client, argv, { timeoutMs: PING_TIMEOUT_MS });
  return parseClockOffsetMs(result.stdout);
}

/** Median over the replies; each line after "TS:" is an address and the milliseconds since the line before. */
export function parseClockOffsetMs(printed: string): number | undefined {
  const offsets = printed.split("TS:").slice(1).flatMap(replyOffsetMs);
  return median(offsets);
}

function replyOffsetMs(reply: string): readonly number[] {
  const steps = [...reply.matchAll(/^\s*[\d.]+\t(-?\d+)(?: absolute)?\s*$/gm)].map((match) => Number(match[1]));
  const [, out, stay, back] = steps;
  if (steps.length !== 4 || out === undefined || stay === undefined || back === undefined) return [];
  // Half of (node in - client out) + (node out - client in): the way there and back are taken as equally long.
  const offsetMs = (out - back) / 2;
  return Math.abs(offsetMs) > OFFSET_MAX_MS ? [] : [offsetMs];
}

/** When the timeline began, in microseconds of the client's monotonic clock. */
export function timelineZeroUs(timeline: Timeline, offsetMs: number, header: Header): number {
  return Math.round(header.startUs + (timeline.startedAtMs - offsetMs - header.wallMs) * 1000);
}
