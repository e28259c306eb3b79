/**
 * Tells a node that is being fenced to fall silent, by every fileserver that has a standby here. When, and for how long,
 * stands in failover/hush.ts; what a hush is, in linux/hush-filter.ts.
 *
 * INVARIANTS
 * - A fence never fails by it, and waits for it no longer than HUSH_BOUNDS.firstMs.
 * - It ends by itself, whatever becomes of the fence.
 */
import { messageOf } from "../base/fault.ts";
import type { FenceEnd, FenceMove } from "../failover/fence.ts";
import { HUSH_BOUNDS, hushesBefore, hushLasts, type HushTimes } from "../failover/hush.ts";
import { hushGroup } from "../linux/hush-filter.ts";
import { hushLink } from "./address.ts";
import { scaled, type Node } from "./context.ts";
import { livingHolder } from "./inside.ts";

export interface HushedFileserver {
  /**
   * One hush for one node, by its key. False where nothing was sent: it is served here, or is about to be. Rejects where
   * it could not be sent.
   */
  hush(victimKey: string): Promise<boolean>;
}

/** One fence's. */
export interface FenceHush {
  /** Resolves when the fence may go on. Never rejects. */
  before(move: FenceMove): Promise<void>;
  ended(end: FenceEnd): void;
}

export interface Hushes {
  of(victimKey: string): FenceHush;
}

export function openHushes(node: Node, fileservers: ReadonlyMap<string, HushedFileserver>): Hushes {
  const { clock, timeScale } = node;
  /** When a fence failed after it had hushed, by the victim's key. */
  const failedAtMs = new Map<string, number>();

  async function round(victimKey: string): Promise<void> {
    const sent = await Promise.all(
      [...fileservers].map(async ([name, fileserver]) => {
        try {
          return (await fileserver.hush(victimKey)) ? [name] : [];
        } catch (error) {
          return [`${name}: not sent: ${messageOf(error)}`];
        }
      }),
    );
    const said = sent.flat().join("; ");
    if (said !== "") sayOnce(victimKey, said);
  }

  const said = new Map<string, string>();
  function sayOnce(victimKey: string, line: string): void {
    if (said.get(victimKey) === line) return;
    said.set(victimKey, line);
    node.log(`${node.nodeOfKey(victimKey) ?? victimKey} is told to fall silent: ${line}`);
  }

  async function repeat(victimKey: string, times: () => HushTimes): Promise<void> {
    for (;;) {
      await clock.sleep(HUSH_BOUNDS.intervalMs);
      if (!hushLasts(times(), clock.monotonicMs(), timeScale)) break;
      await round(victimKey);
    }
    said.delete(victimKey);
  }

  return {
    of(victimKey) {
      let times: HushTimes | undefined;
      return {
        async before(move) {
          const failedMs = failedAtMs.get(victimKey);
          const nowMs = clock.monotonicMs();
          const sinceFailedMs = failedMs === undefined ? undefined : nowMs - failedMs;
          if (!hushesBefore(move, times !== undefined, sinceFailedMs, timeScale)) return;
          const begun: HushTimes = { begunMs: nowMs };
          times = begun;
          const first = round(victimKey);
          void first.then(() => repeat(victimKey, () => times ?? begun));
          await Promise.race([first, clock.sleep(scaled(node, HUSH_BOUNDS.firstMs))]);
        },

        ended({ outcome }) {
          if (times === undefined) return;
          const atMs = clock.monotonicMs();
          times = { ...times, ended: { atMs, outcome } };
          if (outcome === "fenced") failedAtMs.delete(victimKey);
          else failedAtMs.set(victimKey, atMs);
        },
      };
    },
  };
}

/** Sends the hushes of one fileserver, whose link is never in two hands. */
export interface HushSender {
  /** @param isFree whether neither service nor a run has the link; asked at the last moment. */
  send(victimKey: string, isFree: () => boolean): Promise<boolean>;
  /** Resolves when no hush is under way. Never rejects. */
  settled(): Promise<void>;
}

export interface HushDeeds {
  readonly holder: (fileserver: string) => Promise<number | undefined>;
  readonly hush: (insidePid: number, group: number) => Promise<boolean>;
}

const DEEDS: HushDeeds = { holder: livingHolder, hush: (pid, group) => hushLink(pid, group) };

export function openHushSender(
  { otherKeys = [] }: Pick<Node, "otherKeys">,
  fileserver: string,
  deeds = DEEDS,
): HushSender {
  let underWay: Promise<void> = Promise.resolve();
  return {
    async send(victimKey, isFree) {
      const index = otherKeys.indexOf(victimKey);
      if (index < 0) throw new Error("it is none of the other nodes that this agent knows");
      const pid = await deeds.holder(fileserver);
      if (pid === undefined) throw new Error("there is no standby here");
      // Whoever takes the link from here on waits for this one first.
      if (!isFree()) return false;
      const sent = underWay.then(() => deeds.hush(pid, hushGroup(index)));
      underWay = sent.then(
        () => undefined,
        () => undefined,
      );
      return sent;
    },
    settled: () => underWay,
  };
}
