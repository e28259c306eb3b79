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
import {
  ruleWhileWaiting,
  v4GraceReasons,
  type GraceSight,
  type GraceRuling,
  type Inheritance,
} from "../failover/grace.ts";
import { nextLedger, sameContent, type Ledger, type Waiting } from "../failover/ledger.ts";
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
  const retired = v3 ? await readList(folder, "sm.bak", []) : [];
  const monitored = ledger.known ? known([...(ledger.value?.v3Clients ?? []), ...retired]) : unknown(ledger.why);
  return {
    inherited: { ledger, monitored }, // A NUL follows the line (nlm_end_grace_read, fs/lockd/procfs.c).
    v3GraceLasts: !ended.startsWith("Y"),
  };
}

// oxlint-disable-next-line max-lines-per-function -- the functions inside share what the looks have found so far
export function watchService(watched: Watched): ServiceWatch {
  const { node, fileserver, holder, insidePid, inherited } = watched;
  const { clock } = node;
  const folder = stateFolder(insidePid, fileserver);
  const startedMs = clock.monotonicMs();
  const limitMs = fileserver.nfs.graceS * 1000;
  const notifiedAtMs = new Map<string, number>();
  const said = new Set<string>();
  let waiting: Waiting = { v3: watched.v3GraceLasts, v4: true };
  let lastLocks: ReadonlySet<string> = new Set();
  let written: Ledger | undefined = inherited.ledger.known ? inherited.ledger.value : undefined;
  let isWritten = false;
  let lastLook = "";
  let sameLooks = 0;
  let fingerprint = "";
  let changedAtMs = startedMs;
  let forgottenAtMs = startedMs;
  let eye: ServiceEye | undefined;
  let view: ServiceView | undefined;
  let stopped = false;

  function sayOnce(line: string): void {
    if (said.has(line)) return;
    said.add(line);
    node.log(`${fileserver.name}: ${line}`);
  }

  function graceSightOf(look: ServiceLook): GraceSight {
    const nowMs = clock.monotonicMs();
    const unnotified = look.unnotified.map((one) => one.name);
    for (const { name } of inherited.monitored.known ? inherited.monitored.value : []) {
      if (unnotified.includes(name) || notifiedAtMs.has(name)) continue;
      notifiedAtMs.set(name, nowMs);
      if (waiting.v3) node.log(`${fileserver.name}: ${name} has answered its notification`);
    }
    const lockdPort = fileserver.nfs.ports.lockd;
    const connected = look.connections.filter((one) => one.localPort === lockdPort).map((one) => one.remoteAddress);
    const print = JSON.stringify([unnotified, connected, look.v3Locks]);
    if (print !== fingerprint) changedAtMs = nowMs;
    fingerprint = print;
    const agoMs = [...notifiedAtMs].map(([name, atMs]) => [name, nowMs - atMs] as const);
    return {
      unnotified,
      connected,
      v3Locks: look.v3Locks,
      quietMs: nowMs - changedAtMs,
      notifiedAgoMs: new Map(agoMs),
      elapsedMs: nowMs - startedMs,
    };
  }

  async function endV3Grace(ruling: GraceRuling, sight: GraceSight): Promise<void> {
    if (sight.unnotified.length > 0 && sight.elapsedMs < limitMs) {
      // Whoever has not answered holds nothing. Notified later, it would try to reclaim locks it has only taken since,
      // be refused, and lose them.
      await endNotifier(fileserver);
      await forgetRetired(folder);
    }
    await runInside(holder, [["write_file", LOCKD_END_GRACE, "Y"]], scaled(node, END_BOUND_MS));
    waiting = { ...waiting, v3: false };
    node.log(
      `${fileserver.name}: lockd's grace ended after ${Math.round(sight.elapsedMs)} ms: ${ruling.because.join("; ")}`,
    );
  }

  /** The third look that shows the same can change nothing: the second has made its locks steady and was written. */
  function sawNothingNew(look: ServiceLook): boolean {
    const text = JSON.stringify(look);
    sameLooks = text === lastLook ? sameLooks + 1 : 0;
    lastLook = text;
    const someoneIsDead = look.v4Clients.some((client) => client.courtesy);
    return sameLooks >= 2 && isWritten && !waiting.v3 && !waiting.v4 && !someoneIsDead;
  }

  async function lookOnce(): Promise<void> {
    eye ??= await openServiceEye(fileserver, insidePid);
    const look = await eye.look();
    if (sawNothingNew(look)) return;
    const v4Lasts = waiting.v4 && (await v4GraceLasts(fileserver, insidePid));
    for (const problem of look.problems) sayOnce(problem);
    const sight = graceSightOf(look);
    const ruling = waiting.v3 ? ruleWhileWaiting(inherited, known(sight), limitMs) : undefined;
    if (ruling?.end === true) await endV3Grace(ruling, sight);
    waiting = { ...waiting, v4: v4Lasts };
    const nowMs = clock.wallMs();
    const next = nextLedger({
      node: node.name,
      nowMs,
      sight: look,
      lastLocks,
      previous: written,
      waiting,
      final: false,
    });
    lastLocks = new Set(look.v3Locks);
    const left = Math.max(0, Math.ceil((limitMs - sight.elapsedMs) / 1000));
    const v4Reasons = waiting.v4 ? v4GraceReasons(written, look) : [];
    view = {
      look,
      ledger: next,
      inherited,
      graceSight: sight,
      grace: {
        v3: {
          lasts: waiting.v3,
          because: waiting.v3 ? (ruling?.because ?? []) : [],
          ...(waiting.v3 ? { endsWithinS: left } : {}),
        },
        v4: { lasts: waiting.v4, because: v4Reasons, ...(waiting.v4 ? { endsWithinS: left } : {}) },
      },
    };
    isWritten = written !== undefined && sameContent(next, written);
    if (!isWritten) {
      await writeLedger(folder, next);
      written = next;
      isWritten = true;
    }
    if (clock.monotonicMs() - forgottenAtMs > FORGET_INTERVAL_MS && !waiting.v4) {
      forgottenAtMs = clock.monotonicMs();
      if (look.v4Clients.some((client) => client.courtesy)) await forgetDeadClients(fileserver, insidePid, sayOnce);
    }
  }

  async function loop(): Promise<void> {
    for (;;) {
      try {
        await lookOnce();
      } catch (error) {
        // Told once: a volume that fails is told by the service itself, and the next look may succeed.
        sayOnce(`the ledger is not current: ${messageOf(error)}`);
      }
      if (stopped) return;
      await clock.sleep(waiting.v3 || waiting.v4 ? GRACE_INTERVAL_MS : LOOK_INTERVAL_MS);
    }
  }

  let ended = false;
  const running = loop().finally(() => {
    ended = true;
  });
  return {
    view: () => view,
    async stop() {
      stopped = true;
      const bound = { what: "the ledger", timeoutMs: scaled(node, STOP_BOUND_MS), intervalMs: 5 };
      if (!ended && (await waitFor(clock, bound, () => Promise.resolve(ended ? true : undefined))) === undefined)
        node.log(`${fileserver.name}: the last look at the ledger still hangs`);
      running.catch(() => undefined);
      return { lastLocks, waiting };
    },
  };
}

/** nfsd tells by itself: Y once it has ended (write_v4_end_grace, fs/nfsd/nfsctl.c). */
async function v4GraceLasts(fileserver: FileserverSpec, insidePid: number): Promise<boolean> {
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
