/** What a node that was fenced while it was frozen still sends from the fileserver's address once it runs again. Pure. */
import { readPacket, type Packet } from "../capture/packet.ts";
import type { CapturedFrame } from "../capture/pcap.ts";

/** For noticing that the registration is gone, and for the reboot. */
export const SILENT_AFTER_MS = 500;

/** By the clock of the recording. */
export interface ThawTimes {
  readonly thawedAtMs: number;
  /** When the survivors had fenced it; undefined where nobody knows: then it counts from the thaw. */
  readonly fencedAtMs?: number | undefined;
}

export interface ThawFacts {
  /** Of the fileserver's address, by the node that was frozen, since it was thawed and fenced. */
  readonly framesSoon: number;
  readonly framesLate: number;
  readonly lastAfterMs?: number;
  /** Where it was thawed before the fence had ended: until then it was alive by right. */
  readonly fencedAfterThawMs?: number;
}

export interface ThawVerdict {
  readonly facts: ThawFacts;
  readonly because: readonly string[];
}

/** @param frames only what that node sent: the fileserver's MAC is the same on both */
export function judgeThaw(
  frames: readonly CapturedFrame[],
  addresses: readonly string[],
  { thawedAtMs, fencedAtMs = thawedAtMs }: ThawTimes,
  node: string,
): ThawVerdict {
  const fromMs = Math.max(thawedAtMs, fencedAtMs);
  const sent = frames.flatMap(({ atMs, bytes }) => {
    const packet = readPacket(bytes);
    if (packet === undefined || atMs < fromMs || !speaksFor(packet, addresses)) return [];
    return [{ afterMs: Math.round(atMs - fromMs), packet }];
  });
  const late = sent.filter(({ afterMs }) => afterMs > SILENT_AFTER_MS);
  const [first] = late;
  const last = sent.at(-1);
  return {
    facts: {
      framesSoon: sent.length - late.length,
      framesLate: late.length,
      ...(last === undefined ? {} : { lastAfterMs: last.afterMs }),
      ...(fromMs === thawedAtMs ? {} : { fencedAfterThawMs: Math.round(fromMs - thawedAtMs) }),
    },
    because:
      first === undefined
        ? []
        : [
            `${node} sent ${late.length} frames from the fileserver's address later than ${SILENT_AFTER_MS} ms after it was ${fromMs === thawedAtMs ? "thawed" : "fenced"}, the first (${first.packet.kind} to ${destinationOf(first.packet)}) after ${first.afterMs} ms`,
          ],
  };
}

function speaksFor(packet: Packet, addresses: readonly string[]): boolean {
  return addresses.includes(packet.kind === "advertisement" ? packet.target : packet.source);
}

function destinationOf(packet: Packet): string {
  return packet.destination;
}
