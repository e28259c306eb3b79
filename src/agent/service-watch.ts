/**
 * What the agent does while a fileserver serves: keeps its ledger, ends lockd's grace when it may, and forgets v4
 * clients that are gone. One look follows another; nothing here can disturb the service, and nothing here forks except
 * the end of a grace.
 *
 * INVARIANTS
 * - No file of the volume is open after `stop` has resolved: the unmount comes next.
 * - lockd's grace is ended by one ruling (failover/grace.ts) and by nothing else.
 */
import { messageOf } from "../base/fault.ts";
import { known, unknown } from "../base/observed.ts";
import type { GraceSight, Inheritance } from "../failover/grace.ts";
import type { Ledger } from "../failover/ledger.ts";
import { awaitsTime } from "../failover/lock-memory.ts";
import { beginWatch, watchLook, type WatchOutcome, type WatchStart, type WatchState } from "../failover/watch.ts";
import { waitFor } from "../system/clock.ts";
import type { GraceStatus } from "../wire/clients.ts";
import { scaled, type WatchEnd } from "./context.ts";
import { readLedger } from "./ledger-file.ts";
import { readList, type ServiceEye, type ServiceLook } from "./look-at-service.ts";
import { doesV3GraceLast, serviceDeeds, type Served, type ServiceDeeds } from "./service-deeds.ts";
import { stateFolder } from "./state-folder.ts";

export interface Watched extends Served {
  readonly inherited: Inheritance;
  /** The ledger's entry on the volume; undefined where there is none. */
  readonly written: Ledger | undefined;
  /** The address was silent, and was opened again before anybody watched. */
  readonly keptOut: boolean;
  /** Whether lockd's grace was left to this watch. */
  readonly v3GraceLasts: boolean;
}

export interface ServiceWatch {
  /** The last look and what follows from it; undefined before the first. */
  view(): ServiceView | undefined;
  /** Ends the watch; a look that is under way is waited for. Resolves with what it knows. */
  stop(): Promise<WatchEnd>;
}

export interface ServiceView {
  readonly look: ServiceLook;
  readonly ledger: Ledger;
  readonly grace: GraceStatus;
  readonly inherited: Inheritance;
  readonly graceSight: GraceSight;
}

/** A change is on the volume within a second: half of it for the look that sees it, the other half for the writing. */
const LOOK_INTERVAL_MS = 400;
/** While clients wait for a grace to end. */
const GRACE_INTERVAL_MS = 100;
const STOP_BOUND_MS = 2_000;
const STOP_INTERVAL_MS = 5;
/** Looks of a grace follow each other in a tenth of this, on a machine that is not emulated. */
const GAP_MS = 1_000;
/** Dead v4 clients are looked for much more rarely than changes. */
const FORGET_INTERVAL_MS = 5_000;

/** For an agent that was started anew beside a serving fileserver: what the one before it knew. */
export async function inheritFromRunning(
  served: Served,
): Promise<Pick<Watched, "inherited" | "written" | "v3GraceLasts">> {
  const { fileserver, insidePid } = served;
  const folder = stateFolder(insidePid, fileserver);
  const ledger = await readLedger(folder);
  const v3GraceLasts = await doesV3GraceLast(served);
  const retired = fileserver.protocols.includes("v3") ? await readList(folder, "retired", []) : [];
  const monitored = ledger.known ? known([...(ledger.value?.v3Clients ?? []), ...retired]) : unknown(ledger.why);
  return { inherited: { ledger, monitored }, written: ledger.known ? ledger.value : undefined, v3GraceLasts };
}

export function watchService(watched: Watched, deeds: ServiceDeeds = serviceDeeds(watched)): ServiceWatch {
  const { node, fileserver, inherited, written, v3GraceLasts, keptOut } = watched;
  const { clock } = node;
  const start: WatchStart = {
    node: node.name,
    inherited,
    written,
    v3GraceLasts,
    limitMs: fileserver.nfs.graceS * 1000,
    lockdPort: fileserver.nfs.ports.lockd,
    gapMs: scaled(node, GAP_MS),
    keptOut,
    startedMs: clock.monotonicMs(),
  };
  const sayOnce = onceEach((line) => node.log(`${fileserver.name}: ${line}`));
  const nothingNew = sameForLong();
  let state = beginWatch(start);
  let forgottenAtMs = start.startedMs;
  let eye: ServiceEye | undefined;
  let view: ServiceView | undefined;
  let stopped = false;
  let looking = true;

  async function lookOnce(): Promise<void> {
    eye ??= await deeds.openEye();
    const look = await eye.look();
    const waits = state.waiting.v3 || state.waiting.v4;
    if (nothingNew(look) && !someoneSilent(look) && !timePasses(state)) return;
    const v4GraceLasts = state.waiting.v4 && (await deeds.doesV4GraceLast());
    const reachable = !state.waiting.v3 || deeds.isReachable();
    const now = { monotonicMs: clock.monotonicMs(), wallMs: clock.wallMs(), v4GraceLasts, reachable };
    const outcome = watchLook(start, state, look, now);
    for (const problem of look.problems) sayOnce(problem);
    for (const name of waits ? outcome.newlyNotified : []) sayOnce(`${name} has answered its notification`);
    const end = outcome.endV3Grace;
    if (end?.stopNotifier === true) await deeds.stopNotifying();
    if (end?.atLimit === false) await endV3Grace(end, outcome.graceSight);
    if (outcome.listLate.length > 0) await deeds.listToNotify(outcome.listLate);
    if (outcome.writeLedger) await deeds.writeLedger(outcome.ledger);
    if (end?.atLimit === true) await endV3Grace(end, outcome.graceSight);
    ({ state } = outcome);
    view = { look, ledger: outcome.ledger, inherited, graceSight: outcome.graceSight, grace: outcome.grace };
    if (outcome.notifyAtOnce.length > 0 || outcome.listLate.length > 0) await notifyAtOnce(outcome);
    if (now.monotonicMs - forgottenAtMs < FORGET_INTERVAL_MS || state.waiting.v4) return;
    forgottenAtMs = now.monotonicMs;
    if (someoneSilent(look)) await deeds.forgetDeadClients(sayOnce);
  }

  async function notifyAtOnce({ notifyAtOnce: names, listLate, state: { waiting } }: WatchOutcome): Promise<void> {
    const what = waiting.v3 ? "to reclaim their locks" : "after the grace that their locks are gone";
    const who = [...new Set([...names, ...listLate.map(({ name }) => name)])].join(", ");
    try {
      // Of this takeover they have not been told, and the one before may have had the same state number.
      await deeds.notifyAtOnce(listLate.length > 0 ? "anew" : "again");
      sayOnce(`are told ${what}, again and again where they are connected: ${who}`);
    } catch (error) {
      // The notifier of the takeover still tries, in its own time.
      sayOnce(`could not be told at once ${what}: ${who}: ${messageOf(error)}`);
    }
  }

  async function endV3Grace(
    { because }: NonNullable<WatchOutcome["endV3Grace"]>,
    { elapsedMs }: GraceSight,
  ): Promise<void> {
    await deeds.endV3Grace();
    node.log(`${fileserver.name}: lockd's grace ended after ${Math.round(elapsedMs)} ms: ${because.join("; ")}`);
  }

  async function loop(): Promise<void> {
    for (;;) {
      try {
        await lookOnce();
      } catch (error) {
        nothingNew.forget();
        // Told once: a volume that fails is told by the service itself, and the next look may succeed.
        sayOnce(`the ledger is not current: ${messageOf(error)}`);
      }
      looking = false;
      if (stopped) return;
      await clock.sleep(state.waiting.v3 || state.waiting.v4 ? GRACE_INTERVAL_MS : LOOK_INTERVAL_MS);
      if (stopped) return;
      looking = true;
    }
  }

  void loop();
  return {
    view: () => view,
    async stop() {
      stopped = true;
      const bound = { what: "the ledger", timeoutMs: scaled(node, STOP_BOUND_MS), intervalMs: STOP_INTERVAL_MS };
      const end = await waitFor(clock, bound, () => Promise.resolve(looking ? undefined : true));
      if (end === undefined) node.log(`${fileserver.name}: the last look at the ledger still hangs`);
      return { lockMemory: state.lockMemory, waiting: state.waiting };
    },
  };
}

/** The third look that shows the same can change nothing: the second has made its locks steady and was written. */
function sameForLong(): { (look: ServiceLook): boolean; forget(): void } {
  let last = "";
  let same = 0;
  const isSame = (look: ServiceLook): boolean => {
    const text = JSON.stringify(look);
    same = text === last ? same + 1 : 0;
    last = text;
    return same >= 2;
  };
  return Object.assign(isSame, {
    forget: (): void => {
      same = 0;
    },
  });
}

/** What follows from a look depends on when it is. */
function timePasses({ waiting, telling, lockMemory }: WatchState): boolean {
  return waiting.v3 || waiting.v4 || telling.size > 0 || awaitsTime(lockMemory);
}

function someoneSilent(look: ServiceLook): boolean {
  return look.v4Clients.some((client) => client.courtesy);
}

function onceEach(say: (line: string) => void): (line: string) => void {
  const said = new Set<string>();
  return (line) => {
    if (said.has(line)) return;
    said.add(line);
    say(line);
  };
}
