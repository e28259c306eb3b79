/** What the agent does while a fileserver serves (agent/service-watch.ts), in virtual time. */
import { known } from "../base/observed.ts";
import type { Inheritance } from "../failover/grace.ts";
import type { Ledger } from "../failover/ledger.ts";
import { awaitsTime, UNWATCHED } from "../failover/lock-memory.ts";
import { beginWatch } from "../failover/watch.ts";
import { startNotifier } from "./client.ts";
import { newSignal, raise, spawn, waitAtMost, type Task } from "./events.ts";
import { clientsNamed, endV3Grace, ledgerOn, sightOf, stateMount } from "./server.ts";
import { whenStorage } from "./storage-path.ts";
import { change, sync } from "./volume.ts";
import {
  isOpen,
  type Mount,
  type Server,
  type SimAgent,
  type SimNode,
  type SimWatch,
  type WatchEnd,
  type World,
} from "./world.ts";

const LOOK_INTERVAL_MS = 400;
const GRACE_INTERVAL_MS = 100;
/** While nothing changes the looks become rarer, as those of an agent that gets little time. */
const GRACE_INTERVAL_MS_MAX = 800;
const IDLE_LOOKS = 2;
/** As in the agent. */
const GAP_MS_MAX = 1_000;

export function startWatch(
  world: World,
  node: SimNode,
  agent: SimAgent,
  begin: { readonly inherited: Inheritance; readonly written: Ledger | undefined; readonly v3GraceLasts: boolean },
): void {
  const start = {
    node: node.name,
    ...begin,
    limitMs: world.fileserver.nfs.graceS * 1000,
    lockdPort: world.fileserver.nfs.ports.lockd,
    gapMs: GAP_MS_MAX,
    keptOut: false,
    startedMs: world.events.nowMs,
  };
  const watch: SimWatch = {
    start,
    state: beginWatch(start),
    stopped: false,
    over: false,
    unchanged: 0,
    news: newSignal(),
    ended: newSignal(),
  };
  agent.watch = watch;
  if (node.site.server !== undefined) node.site.server.awaited = awaitedOf(begin.inherited);
  spawn(world.events, agent.owner, lookAgainAndAgain(world, node, watch), () => {
    watch.over = true;
    raise(watch.ended);
  });
}

function awaitedOf({ ledger }: Inheritance): ReadonlySet<string> {
  const locks = ledger.known ? (ledger.value?.v3Locks ?? []) : [];
  return new Set(locks.filter(({ steady }) => steady).map(({ key }) => key));
}

/** An agent that was started anew beside a serving fileserver: what the one before it knew, from the volume. */
export function watchRunning(world: World, node: SimNode, agent: SimAgent): void {
  const state = stateMount(node);
  const server = node.site.server;
  if (agent.watch !== undefined || state === undefined || server === undefined) return;
  const ledger = ledgerOn(state.view);
  const retired = world.facts.filter(({ index }) => state.view.retired.has(index)).map((one) => one.monitored);
  const inherited = { ledger: known(ledger), monitored: known([...(ledger?.v3Clients ?? []), ...retired]) };
  if (server.v3GraceLasts && !node.site.notifier && retired.length > 0) startNotifier(world, node);
  startWatch(world, node, agent, { inherited, written: ledger, v3GraceLasts: server.v3GraceLasts });
}

const STOP_BOUND_MS = 2_000;

/** Not watched is not known: whoever was waited for before may still be, and no lock is known to be passing. */
export function nothingWatched(world: World): WatchEnd {
  return { lockMemory: UNWATCHED, waiting: world.logic.ways.unwatched };
}

export function* endWatch(world: World, agent: SimAgent): Task<WatchEnd> {
  const { watch } = agent;
  agent.watch = undefined;
  if (watch === undefined) return agent.watchEnd;
  watch.stopped = true;
  raise(watch.news);
  if (!watch.over) yield* waitAtMost(world.events, agent.owner, watch.ended, STOP_BOUND_MS);
  agent.watchEnd = { lockMemory: watch.state.lockMemory, waiting: watch.state.waiting };
  return agent.watchEnd;
}

function* lookAgainAndAgain(world: World, node: SimNode, watch: SimWatch): Task {
  for (;;) {
    yield* lookOnce(world, node, watch);
    if (watch.stopped) return;
    const waits = watch.state.waiting.v3 || watch.state.waiting.v4;
    watch.unchanged += 1;
    if (waits) yield Math.min(GRACE_INTERVAL_MS_MAX, GRACE_INTERVAL_MS * watch.unchanged);
    else {
      // The third look that shows the same can change nothing, but that somebody is to be told again, or a lock has stayed.
      const timePasses = watch.state.telling.size > 0 || awaitsTime(watch.state.lockMemory);
      if (watch.unchanged >= IDLE_LOOKS && !timePasses) yield watch.news;
      yield world.random.between(LOOK_INTERVAL_MS / 8, LOOK_INTERVAL_MS);
    }
    if (watch.stopped) return;
  }
}

function* lookOnce(world: World, node: SimNode, watch: SimWatch): Task {
  const server = node.site.server;
  const state = stateMount(node);
  if (server === undefined || state === undefined) return;
  const { nowMs } = world.events;
  const now = { monotonicMs: nowMs, wallMs: nowMs, v4GraceLasts: server.v4GraceLasts, reachable: isOpen(node) };
  const outcome = world.logic.watchLook(watch.start, watch.state, sightOf(world, server, state.view), now);
  const end = outcome.endV3Grace;
  if (end?.stopNotifier === true) {
    node.site.notifier = false;
    change(state, (disk) => disk.retired.clear());
  }
  if (end?.atLimit === false) yield* endGrace(world, node, server, false);
  for (const index of outcome.listLate.flatMap(({ name }) => clientsNamed(world, name)))
    change(state, (disk) => disk.retired.add(index));
  if (outcome.writeLedger && !(yield* writeLedger(world, node, state, outcome.ledger))) return;
  if (end?.atLimit === true) yield* endGrace(world, node, server, true);
  watch.state = outcome.state;
  if (outcome.notifyAtOnce.length > 0 || outcome.listLate.length > 0) {
    yield world.random.between(2, 15);
    if (node.site.server === server) startNotifier(world, node);
  }
}

function* endGrace(world: World, node: SimNode, server: Server, atLimit: boolean): Task {
  yield world.random.between(2, 15);
  if (node.site.server === server) endV3Grace(world, node, server, atLimit);
}

function* writeLedger(world: World, node: SimNode, state: Mount, ledger: Ledger): Task<boolean> {
  const written = newSignal();
  let good = false;
  let ended = false;
  yield world.random.between(2, 15);
  whenStorage(node, () => {
    ended = true;
    if (node.site.mounts[0] === state) {
      change(state, (disk) => void (disk.ledger = ledger));
      good = sync(world, node, state);
    }
    raise(written);
  });
  // A write that hangs is given up only with its node.
  if (!ended) yield written;
  return good;
}
