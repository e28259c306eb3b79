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
import { beginWatch, watchLook, type WatchOutcome, type WatchStart } from "../failover/watch.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { waitFor } from "../system/clock.ts";
import { toolPath } from "../system/tools.ts";
import type { GraceStatus } from "../wire/clients.ts";
import { scaled, type Node, type WatchEnd } from "./context.ts";
import { runInside, type HolderClient } from "./holder-client.ts";
import { endProcess, readOptional, scopeProcesses } from "./inside.ts";
import { readLedger, writeLedger } from "./ledger-file.ts";
import { openServiceEye, readList, type ServiceEye, type ServiceLook } from "./look-at-service.ts";
import { insidePath } from "./places.ts";
import { forgetRetired, stateFolder } from "./state-folder.ts";
import { forgetClient, hasState, lookAtV4Clients } from "./v4-clients.ts";

export interface Watched {
  readonly node: Node;
  readonly fileserver: FileserverSpec;
  readonly holder: HolderClient;
  readonly insidePid: number;
  readonly inherited: Inheritance;
  /** Whether lockd's grace was left to this watch. */
  readonly v3GraceLasts: boolean;
}

export interface ServiceWatch {
  /** The last look and what follows from it; undefined before the first. */
  view(): ServiceView | undefined;
  /** Ends the watch. Resolves with what it knows. */
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
const END_BOUND_MS = 2_000;
/** Dead v4 clients are looked for much more rarely than changes. */
const FORGET_INTERVAL_MS = 5_000;
const LOCKD_END_GRACE = "/proc/fs/lockd/nlm_end_grace";

/** For an agent that was started anew beside a serving fileserver: what the one before it knew. */
export async function inheritFromRunning(
  watched: Omit<Watched, "inherited" | "v3GraceLasts">,
): Promise<Pick<Watched, "inherited" | "v3GraceLasts">> {
  const { fileserver, insidePid, holder, node } = watched;
  const folder = stateFolder(insidePid, fileserver);
  const ledger = await readLedger(folder);
  const v3 = fileserver.protocols.includes("v3");
  const ended = v3 ? await runInside(holder, [[toolPath("cat"), LOCKD_END_GRACE]], scaled(node, END_BOUND_MS)) : "Y";
  const retired = v3 ? await readList(folder, "retired", []) : [];
  const monitored = ledger.known ? known([...(ledger.value?.v3Clients ?? []), ...retired]) : unknown(ledger.why);
  return {
    inherited: { ledger, monitored }, // A NUL follows the line (nlm_end_grace_read, fs/lockd/procfs.c).
    v3GraceLasts: !ended.startsWith("Y"),
  };
}

export function watchService(watched: Watched): ServiceWatch {
  const { node, fileserver, insidePid, inherited, v3GraceLasts } = watched;
  const { clock } = node;
  const folder = stateFolder(insidePid, fileserver);
  const start: WatchStart = {
    node: node.name,
    inherited,
    v3GraceLasts,
    limitMs: fileserver.nfs.graceS * 1000,
    lockdPort: fileserver.nfs.ports.lockd,
    startedMs: clock.monotonicMs(),
  };
  const sayOnce = onceEach((line) => node.log(`${fileserver.name}: ${line}`));
  const nothingNew = sameForLong();
  let state = beginWatch(start);
  let forgottenAtMs = start.startedMs;
  let eye: ServiceEye | undefined;
  let view: ServiceView | undefined;
  let stopped = false;
  let ended = false;

  async function lookOnce(): Promise<void> {
    eye ??= await openServiceEye(fileserver, insidePid);
    const look = await eye.look();
    const waits = state.waiting.v3 || state.waiting.v4;
    if (nothingNew(look) && !waits && !someoneSilent(look)) return;
    const v4GraceLasts = state.waiting.v4 && (await doesV4GraceLast(fileserver, insidePid));
    const now = { monotonicMs: clock.monotonicMs(), wallMs: clock.wallMs(), v4GraceLasts };
    const outcome = watchLook(start, state, look, now);
    for (const problem of look.problems) sayOnce(problem);
    for (const name of waits ? outcome.newlyNotified : []) sayOnce(`${name} has answered its notification`);
    if (outcome.endV3Grace !== undefined) await endV3Grace(watched, outcome.endV3Grace, outcome.graceSight);
    if (outcome.writeLedger) await writeLedger(folder, outcome.ledger);
    ({ state } = outcome);
    view = { look, ledger: outcome.ledger, inherited, graceSight: outcome.graceSight, grace: outcome.grace };
    if (now.monotonicMs - forgottenAtMs < FORGET_INTERVAL_MS || state.waiting.v4) return;
    forgottenAtMs = now.monotonicMs;
    if (someoneSilent(look)) await forgetDeadClients(fileserver, insidePid, sayOnce);
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
      if (stopped) return;
      await clock.sleep(state.waiting.v3 || state.waiting.v4 ? GRACE_INTERVAL_MS : LOOK_INTERVAL_MS);
    }
  }

  void loop().finally(() => {
    ended = true;
  });
  return {
    view: () => view,
    async stop() {
      stopped = true;
      const bound = { what: "the ledger", timeoutMs: scaled(node, STOP_BOUND_MS), intervalMs: STOP_INTERVAL_MS };
      const end = await waitFor(clock, bound, () => Promise.resolve(ended ? true : undefined));
      if (end === undefined) node.log(`${fileserver.name}: the last look at the ledger still hangs`);
      return { lastLocks: state.lastLocks, waiting: state.waiting };
    },
  };
}

async function endV3Grace(
  { node, fileserver, holder, insidePid }: Watched,
  { because, stopNotifier }: NonNullable<WatchOutcome["endV3Grace"]>,
  sight: GraceSight,
): Promise<void> {
  if (stopNotifier) {
    await endNotifier(fileserver);
    await forgetRetired(stateFolder(insidePid, fileserver));
  }
  await runInside(holder, [["write_file", LOCKD_END_GRACE, "Y"]], scaled(node, END_BOUND_MS));
  node.log(`${fileserver.name}: lockd's grace ended after ${Math.round(sight.elapsedMs)} ms: ${because.join("; ")}`);
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

/** nfsd tells by itself: Y once it has ended (write_v4_end_grace, fs/nfsd/nfsctl.c). */
async function doesV4GraceLast(fileserver: FileserverSpec, insidePid: number): Promise<boolean> {
  if (!fileserver.protocols.includes("v4")) return false;
  const text = await readOptional(insidePath(insidePid, "/proc/fs/nfsd/v4_end_grace"));
  return text !== undefined && text.trim() === "N";
}

async function endNotifier(fileserver: FileserverSpec): Promise<void> {
  for (const process of await scopeProcesses(fileserver.name))
    if (process.name === "sm-notify") endProcess(process.pid);
}

/**
 * Makes nfsd forget clients whose lease has expired and that cannot be missed: each of them would cost everybody a full
 * grace at the next takeover. Those that hold something are given the spec's time to come back, as nfsd's courtesy
 * gives them a day (NFSD_COURTESY_CLIENT_TIMEOUT, fs/nfsd/nfs4state.c).
 */
async function forgetDeadClients(
  fileserver: FileserverSpec,
  insidePid: number,
  say: (line: string) => void,
): Promise<void> {
  for (const client of await lookAtV4Clients(insidePid, [])) {
    const { info } = client;
    if (info.status !== "courtesy") continue;
    const tooLong = info.renewedBeforeS > fileserver.nfs.courtesyS;
    if (!tooLong && (await hasState(client))) continue;
    await forgetClient(client);
    say(
      `${info.owner} (${info.address}) is forgotten: silent for ${info.renewedBeforeS} s${tooLong ? "" : ", and it held nothing"}`,
    );
  }
}
