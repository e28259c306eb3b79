/**
 * A failover's pause taken apart: until the cluster noticed, until the other node was fenced, until the takeover began,
 * until the address was open, until the client was answered. By the client's clock; the survivor's journal and timeline
 * are laid over it. Pure.
 */
import type { Timeline } from "../../wire/timeline.ts";
import { openedMs } from "../explain.ts";
import type { Pause } from "../pause.ts";

export interface Phases {
  /** From the last success before the pause to the beginning of the takeover. */
  readonly beforeTakeoverMs: number;
  /** Parts of it, where the survivor's journal tells them. */
  readonly detectMs?: number;
  readonly fenceMs?: number;
  /** From the fence's confirmation to the takeover's first step: the engine's transition. */
  readonly decideMs?: number;
  readonly takeoverMs: number;
  /** From the opening of the address to the first success. */
  readonly clientMs: number;
}

/** Milliseconds since 1970-01-01 UTC by the survivor's clock. */
export interface EngineEvents {
  readonly detectedAtMs?: number;
  readonly fencedAtMs?: number;
}

/** corosync's words when a token is lost (exec/totemsrp.c), and when the membership without the node is there. */
const DETECTED = /corosync.*(?:A processor failed, forming new configuration|Members left)/;

/** pacemaker-fenced's words when a fencing has ended well (remote_op_done, daemons/fenced/fenced_remote.c). */
function isFenced(line: string, victim: string): boolean {
  const match = /Operation '?(?:reboot|off)'?.* targeting (\S+) by .*: (?:OK|complete)/i.exec(line);
  return match?.[1] === victim;
}

/**
 * Reads `journalctl -o short-unix`: seconds with a fraction stand first.
 * @param untilMs when the takeover began: what came later belongs to something else.
 */
export function parseEngineEvents(printed: string, victim: string, untilMs: number): EngineEvents {
  const lines = printed.split("\n").flatMap((line) => {
    const atMs = Number(/^\d+\.\d+/.exec(line)?.[0]) * 1000;
    return Number.isFinite(atMs) && atMs <= untilMs ? [{ atMs, line }] : [];
  });
  const fenced = lines.findLast(({ line }) => isFenced(line, victim));
  const before = lines.filter(({ atMs, line }) => DETECTED.test(line) && atMs <= (fenced?.atMs ?? untilMs));
  // A lost token is told first and the new membership after it: the first word is when it was noticed.
  const lost = before.findLast(({ line }) => line.includes("A processor failed"));
  const detected = lost ?? before.at(-1);
  return {
    ...(detected === undefined ? {} : { detectedAtMs: detected.atMs }),
    ...(fenced === undefined ? {} : { fencedAtMs: fenced.atMs }),
  };
}

export interface PhaseFacts {
  readonly pause: Pause;
  readonly timeline: Timeline;
  /** The timeline's zero on the client's clock. */
  readonly zeroUs: number;
  readonly events: EngineEvents;
}

/** Undefined where the timeline never opened an address, or did so outside the pause. */
export function phasesOf({ pause, timeline, zeroUs, events }: PhaseFacts): Phases | undefined {
  const openedAtMs = openedMs(timeline);
  if (openedAtMs === undefined) return undefined;
  const [startMs, endMs] = [pause.gapStartUs / 1000, pause.gapEndUs / 1000];
  const takenMs = zeroUs / 1000;
  const openMs = takenMs + openedAtMs;
  if (takenMs < startMs || openMs > endMs) return undefined;
  const onClient = (wallMs: number | undefined): number | undefined => {
    const atMs = wallMs === undefined ? undefined : takenMs + (wallMs - timeline.startedAtMs);
    return atMs !== undefined && atMs >= startMs && atMs <= takenMs ? atMs : undefined;
  };
  const [detectedMs, fencedMs] = [onClient(events.detectedAtMs), onClient(events.fencedAtMs)];
  return {
    beforeTakeoverMs: Math.round(takenMs - startMs),
    ...(detectedMs === undefined ? {} : { detectMs: Math.round(detectedMs - startMs) }),
    ...(detectedMs === undefined || fencedMs === undefined ? {} : { fenceMs: Math.round(fencedMs - detectedMs) }),
    ...(fencedMs === undefined ? {} : { decideMs: Math.round(takenMs - fencedMs) }),
    takeoverMs: Math.round(openMs - takenMs),
    clientMs: Math.round(endMs - openMs),
  };
}
