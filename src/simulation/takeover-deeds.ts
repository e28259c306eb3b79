/** The deeds of a takeover, as agent/steps/takeover.ts does them. */
import { known, unknown, type Observed } from "../base/observed.ts";
import { assert } from "../base/assert.ts";
import { standbyDaemons } from "../failover/judge.ts";
import type { Ledger, MonitoredClient } from "../failover/ledger.ts";
import { startNotifier } from "./client.ts";
import { quick, volumeOf, type SimDeeds } from "./deed.ts";
import type { Task } from "./events.ts";
import { lasts } from "./run-graph.ts";
import { changed, clientsNamed, endV3Grace, startServer, stateMount } from "./server.ts";
import { scsi, whenStorage } from "./storage-path.ts";
import { mayWrite, reserve } from "./storage.ts";
import { change, mount, sync } from "./volume.ts";
import {
  isInGoodStanding,
  isOpen,
  isRunning,
  violate,
  type Disk,
  type Volume,
  type SimNode,
  type World,
} from "./world.ts";

type TakeoverKind =
  | "probe-address"
  | "reserve-luns"
  | "activate-volume"
  | "claim-volume-group"
  | "mount-volume"
  | "prepare-state"
  | "reopen-ledger"
  | "start-nfsdcld"
  | "start-nfsd"
  | "end-lockd-grace"
  | "open-address"
  | "tickle-connections"
  | "notify-clients";

/** The bound of one command, as in scsi/reservation.ts. */
const SCSI_BOUND_MS = 4_000;

export const takeoverDeeds: SimDeeds<TakeoverKind> = {
  *"probe-address"({ world, node }) {
    yield lasts(world, 200);
    const answers = world.nodes.some((other) => other !== node && isOpen(other) && isRunning(other) && !other.cuts.lan);
    return answers && !node.cuts.lan ? "the address is taken" : undefined;
  },

  /** agent/registered-luns.ts: nothing is taken, but a reservation has to stand, whoever holds it. */
  *"reserve-luns"(tools) {
    const { world, node } = tools;
    const { lun } = volumeOf(tools);
    const read = (): Task<Observed<{ own: boolean; holder: number | undefined }>> =>
      scsi(world, node, lun, SCSI_BOUND_MS, () => ({ own: lun.keys.has(node.index), holder: lun.holder }));
    const state = yield* read();
    if (!state.known) return state.why;
    if (!state.value.own) return "not registered";
    if (state.value.holder !== undefined) return undefined;
    const said = yield* scsi(world, node, lun, SCSI_BOUND_MS, () => reserve(lun, node.index));
    if (!said.known) return said.why;
    if (said.value === "good") return undefined;
    const later = yield* read();
    return later.known && later.value.own && later.value.holder !== undefined ? undefined : "not registered any more";
  },

  *"activate-volume"(tools) {
    const { world, node } = tools;
    const volume = volumeOf(tools);
    return yield* tools.command(80, (ended) =>
      whenStorage(node, () => {
        checkActivation(world, node, volume);
        node.site.active[volume.index] = true;
        ended();
      }),
    );
  },

  *"claim-volume-group"(tools) {
    const { node } = tools;
    const { lun } = volumeOf(tools);
    return yield* tools.command(60, (ended) =>
      whenStorage(node, () => ended(mayWrite(lun, node.index) ? undefined : "the label could not be written")),
    );
  },

  *"mount-volume"(tools) {
    const { world, node } = tools;
    const volume = volumeOf(tools);
    if (node.site.mounts[volume.index] !== undefined) return undefined;
    if (node.site.active[volume.index] !== true) return "not active";
    node.site.mounting += 1;
    return yield* tools.command(60, (ended) =>
      whenStorage(node, () => {
        node.site.mounting -= 1;
        const mounted = mount(world, node, volume);
        node.site.mounts[volume.index] = mounted;
        ended(mounted === undefined ? "could not be mounted" : undefined);
      }),
    );
  },

  *"prepare-state"({ world, node }, { found }) {
    yield lasts(world, 20);
    const state = stateMount(node);
    if (state === undefined) return "no volume";
    found.ledger = readLedger(state.view);
    const last = found.ledger.known ? found.ledger.value : undefined;
    const isAsked = last?.final === true || world.logic.ways.notifiesLedgerClients === "always";
    const expected = (isAsked ? (last?.v3Clients ?? []) : []).flatMap(({ name }) => clientsNamed(world, name));
    change(state, (disk) => {
      for (const client of [...disk.monitored, ...expected]) disk.retired.add(client);
      disk.monitored.clear();
    });
    const retired = world.facts.filter(({ index }) => state.view.retired.has(index)).map((one) => one.monitored);
    found.inherited = { ledger: found.ledger, monitored: known(retired) };
    world.trace?.(world.events.nowMs, node.name, describeInheritance(last, retired));
    return undefined;
  },

  *"reopen-ledger"({ world, node }, { found }) {
    yield lasts(world, 10);
    const state = stateMount(node);
    if (state === undefined) return "no volume";
    const { ledger, inherited } = found;
    const before = ledger.known ? ledger.value : undefined;
    const retired = inherited?.monitored.known === true ? inherited.monitored.value : [];
    const { nowMs } = world.events;
    const entry = world.logic.reopenedLedger({ node: node.name, nowMs, found: before, retired });
    found.reopened = entry;
    const same = ledger.known && entry === before;
    if (!same) change(state, (disk) => void (disk.ledger = entry));
    if (!same && !sync(world, node, state)) return "could not be written";
    for (const index of (entry?.late ?? []).flatMap(({ name }) => clientsNamed(world, name)))
      change(state, (disk) => disk.retired.delete(index));
    return undefined;
  },

  "start-nfsdcld": quick(60, ({ node }) => {
    if (stateMount(node) === undefined) return "no volume";
    node.site.nfsdcld = true;
    return undefined;
  }),

  "start-nfsd": quick(80, ({ world, node }) => {
    if (node.site.server === undefined) startServer(world, node);
    return undefined;
  }),

  *"end-lockd-grace"({ world, node, command }, { found }) {
    const { inherited } = found;
    assert(inherited !== undefined, "prepare-state has looked at what the server before left");
    if (!world.logic.ruleBeforeOpening(inherited).end) return undefined;
    return yield* command(10, (ended) => {
      found.nobodyToNotify = true;
      if (node.site.server !== undefined) endV3Grace(world, node, node.site.server, false);
      ended();
    });
  },

  "open-address": quick(15, ({ world, node }) => {
    const { site } = node;
    const missing = standbyDaemons(true).filter((name) => !runs(node, name));
    if (missing.length > 0) return `${missing.join(", ")} does not run`;
    site.linkUp = true;
    site.requestsHeld = false;
    checkOpening(world, node);
    if (site.server !== undefined) site.server.openedMs = world.events.nowMs;
    world.tally.takeovers += 1;
    return undefined;
  }),

  "tickle-connections": quick(10, () => undefined),

  *"notify-clients"({ world, node, command }, { found }) {
    const state = stateMount(node);
    if (state === undefined) return undefined;
    if (found.nobodyToNotify === true) {
      change(state, (disk) => disk.retired.clear());
      return undefined;
    }
    return yield* command(20, (ended) => {
      startNotifier(world, node);
      ended();
    });
  },
};

function readLedger({ ledger }: Disk): Observed<Ledger | undefined> {
  return ledger === "damaged" ? unknown("it cannot be understood") : known(ledger);
}

function runs({ site }: SimNode, name: string): boolean {
  return name === "rpcbind" ? site.rpcbind : name === "rpc.mountd" ? site.mountd : site.statd;
}

/** Whoever had the volume has given it back, has restarted since, or cannot write to it any more. */
function checkActivation(world: World, node: SimNode, { index, name, lun }: Volume): void {
  // A node that was fenced while it was frozen in between reads, and can do nothing else.
  if (!mayWrite(lun, node.index)) return;
  for (const other of world.nodes) {
    const has = other.site.active[index] === true || other.site.mounts[index] !== undefined;
    if (other === node || !other.on || !has || !mayWrite(lun, other.index)) continue;
    violate(world, "activation-needs-fence", `${node.name} activates ${name}, which ${other.name} has and may write`);
  }
}

function checkOpening(world: World, node: SimNode): void {
  const { site } = node;
  const complete = site.server !== undefined && site.nfsdcld && site.mounts.every((one) => one !== undefined);
  if (!complete) violate(world, "open-complete", `${node.name} opens the address before everything is behind it`);
  const ledger = world.volumes[0]?.disk.ledger;
  if (ledger !== undefined && ledger !== "damaged" && ledger.final && isInGoodStanding(world, node))
    violate(world, "ledger-open", `${node.name} opens the address while the ledger says that it is final`);
  changed(node);
}

function describeInheritance(ledger: Ledger | undefined, retired: readonly MonitoredClient[]): string {
  const names = (clients: readonly MonitoredClient[]): string => clients.map(({ name }) => name).join(" ") || "nobody";
  if (ledger === undefined) return "finds no ledger";
  const locks = ledger.v3Locks.map(({ key }) => key.split(":")[1]).join(" ") || "none";
  const kind = ledger.final ? "final" : "unfinished";
  const late = ledger.late === undefined ? "" : `; late: ${names(ledger.late)}`;
  return `finds a ${kind} ledger: clients ${names(ledger.v3Clients)}, locks ${locks}; to be notified: ${names(retired)}${late}`;
}
