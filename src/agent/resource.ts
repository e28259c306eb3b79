/**
 * What Pacemaker asks of a fileserver, by its resource agent (packaging/ocf/fileserver): start, stop, monitor,
 * validate-all. Each answer is an OCF exit status and lines for the log.
 *
 * INVARIANTS
 * - A stop is answered with 0 only where nothing of the volumes is here any more; where that cannot be brought about
 *   within its bound, the node goes down.
 * - "Not running" is said only where that was seen.
 */
import { explain, toFault, type Fault } from "../base/fault.ts";
import { endOnBug } from "./bug.ts";
import { scaled, type Node } from "./context.ts";
import type { FileserverControl, FileserverSight } from "./fileserver.ts";
import { RunFault } from "./history.ts";
import { exists } from "./inside.ts";

/** Resource Agent API 1.1, exit status codes. */
export const OCF = {
  success: 0,
  generic: 1,
  installed: 5,
  notRunning: 7,
} as const;

export interface OcfAnswer {
  readonly code: (typeof OCF)[keyof typeof OCF];
  readonly lines: readonly string[];
}

export interface ResourceParts {
  readonly node: Node;
  readonly control: FileserverControl;
  /** Why this node may not serve it now; undefined where it may (`Registration.refusal`). */
  readonly refusal: () => Fault | undefined;
  readonly goDown: (because: string) => void;
}

export type ResourceAction = (parts: ResourceParts, timeoutMs: number) => Promise<OcfAnswer>;

const RETRY_INTERVAL_MS = 100;
/** A storage that gives no answer for a moment is no failure of the fileserver; for longer it is. */
const SILENCE_TOLERATED_MS = 5_000;
const CHECK_BOUND_MS = 5_000;
/** Nothing can be written back to a storage that does not answer: whoever waits for it longer only waits longer. */
const SILENT_STOP_BOUND_MS = 15_000;

const ok = (...lines: readonly string[]): OcfAnswer => ({ code: OCF.success, lines });
const failed = (...lines: readonly string[]): OcfAnswer => ({ code: OCF.generic, lines });

export const RESOURCE_ACTIONS: Readonly<Record<string, ResourceAction>> = {
  start,
  stop,
  monitor,
  "validate-all": validateAll,
};

async function start(parts: ResourceParts, timeoutMs: number): Promise<OcfAnswer> {
  const { node, control, refusal } = parts;
  const endMs = node.clock.monotonicMs() + timeoutMs;
  let last: Fault | undefined;
  for (;;) {
    last = refusal();
    if (last === undefined) {
      try {
        await takeover(control);
        return ok();
      } catch (error) {
        endOnBug(error);
        last = toFault(error);
      }
    }
    if (!isPassing(last)) return failed(...explain(last));
    if (node.clock.monotonicMs() + RETRY_INTERVAL_MS >= endMs) return failed(...explain(last));
    await node.clock.sleep(RETRY_INTERVAL_MS);
  }
}

/**
 * Faults after which the same question may be answered differently. A registration that is still to be made is none of
 * them: the engine may have given this node up in the meantime, and then nobody could have taken a key from it.
 */
function isPassing({ code }: Fault): boolean {
  return code === "fileserver-busy" || code === "not-verified";
}

/**
 * Where a planned move was announced, the labels of the volume groups are taken to be this node's already: to look
 * would cost clients their time. LVM looks for itself; where it is not so, everything is looked up.
 */
async function takeover(control: FileserverControl): Promise<void> {
  if (!control.isSuccessor()) return void (await control.takeover());
  try {
    await control.takeover({ handedOver: true });
  } catch (error) {
    const wrongLabel =
      error instanceof RunFault &&
      error.timeline.steps.some(({ step, outcome }) => step.startsWith("activate-volume") && outcome === "failed");
    if (!wrongLabel) throw error;
    await control.takeover();
  }
}

async function stop(parts: ResourceParts, givenMs: number): Promise<OcfAnswer> {
  const { node, control, goDown } = parts;
  const timeoutMs = control.silenced() ? Math.min(givenMs, scaled(node, SILENT_STOP_BOUND_MS)) : givenMs;
  let last = "the release has not ended";
  let over = false;
  const release = async (): Promise<OcfAnswer | undefined> => {
    for (;;) {
      if (over) return undefined;
      try {
        const sight = await control.sight();
        if (sight.empty && sight.running === undefined) return ok();
        await control.release();
      } catch (error) {
        endOnBug(error);
        const fault = toFault(error);
        if (fault.code !== "fileserver-busy") last = explain(fault).join("; ");
      }
      await node.clock.sleep(RETRY_INTERVAL_MS);
    }
  };
  const answer = await Promise.race([release(), node.clock.sleep(timeoutMs)]);
  over = true;
  if (answer !== undefined) return answer;
  const because = `${control.spec.name} could not be stopped within ${Math.round(timeoutMs / 1000)} s: ${last}`;
  goDown(because);
  return failed(because);
}

async function monitor(parts: ResourceParts, timeoutMs: number): Promise<OcfAnswer> {
  const { node, control, refusal } = parts;
  const endMs = node.clock.monotonicMs() + Math.min(timeoutMs, scaled(node, SILENCE_TOLERATED_MS));
  let sight: FileserverSight;
  for (;;) {
    try {
      sight = await control.sight();
    } catch (error) {
      return failed(...explain(error));
    }
    const passing = sight.silencedBecause !== undefined || isMoving(sight);
    if (!passing || node.clock.monotonicMs() + RETRY_INTERVAL_MS >= endMs) break;
    await node.clock.sleep(RETRY_INTERVAL_MS);
  }
  if (sight.silencedBecause !== undefined) return failed(`its address is silent: ${sight.silencedBecause}`);
  if (isMoving(sight)) return failed(`it is ${sight.running}`);
  if (sight.empty) return { code: OCF.notRunning, lines: [] };
  const { state, lacks } = sight.judgement;
  const lacking = lacks.map((lack) => `${lack} is missing`);
  if (state !== "serving") return failed("only a part of it is here", ...lacking);
  const boundMs = Math.min(timeoutMs / 2, scaled(node, CHECK_BOUND_MS));
  const unregistered = refusal();
  const problems = [
    ...lacking,
    ...(unregistered === undefined ? [] : [unregistered.message]),
    ...(await control.check(boundMs)),
  ];
  return problems.length === 0 ? ok() : failed(...problems);
}

/** Making the standby touches nothing of the volumes. */
function isMoving({ running }: FileserverSight): boolean {
  return running === "taking-over" || running === "releasing";
}

async function validateAll({ node, control, refusal }: ResourceParts): Promise<OcfAnswer> {
  const { name, interface: parent } = control.spec;
  if (!(await exists(`/sys/class/net/${parent}`)))
    return { code: OCF.installed, lines: [`${node.name} has no interface ${parent}, which ${name} needs`] };
  const fault = refusal();
  return fault === undefined ? ok() : failed(...explain(fault));
}
