/** The deeds of a release, as agent/steps/release.ts does them. */
import { STOP_HANGS_MS } from "../failover/release.ts";
import { forgetIdle } from "./client.ts";
import { quick, volumeOf, type SimDeeds } from "./deed.ts";
import { after } from "./events.ts";
import { lasts } from "./run-graph.ts";
import { ledgerOn, sightOf, stateMount, stopServer } from "./server.ts";
import { whenStorage } from "./storage-path.ts";
import { mayWrite } from "./storage.ts";
import { arrive, change, sync } from "./volume.ts";
import type { Mount, SimNode, World } from "./world.ts";

type ReleaseKind =
  | "sync-volumes"
  | "hand-over-volume-group"
  | "hold-requests"
  | "silence-address"
  | "forget-idle-clients"
  | "record-clients"
  | "close-ledger"
  | "kill-statd"
  | "stop-nfsd"
  | "stop-daemons"
  | "unmount-volume"
  | "deactivate-volume"
  | "release-luns";

const UNMOUNT_INTERVAL_MS = 100;

export const releaseDeeds: SimDeeds<ReleaseKind> = {
  *"sync-volumes"({ world, node, command }) {
    if (node.site.mounts.every((one) => one === undefined)) return undefined;
    return yield* command(30, (ended) =>
      whenStorage(node, () => {
        for (const on of node.site.mounts) if (on !== undefined) writeBack(world, node, on);
        ended();
      }),
    );
  },

  *"hand-over-volume-group"(tools) {
    const { node } = tools;
    const { lun } = volumeOf(tools);
    return yield* tools.command(60, (ended) =>
      whenStorage(node, () => ended(mayWrite(lun, node.index) ? undefined : "the label could not be written")),
    );
  },

  *"hold-requests"(tools, { endWatch }) {
    yield* endWatch();
    return yield* tools.command(10, (ended) => {
      if (tools.node.site.linkUp) tools.node.site.requestsHeld = true;
      ended();
    });
  },

  "silence-address": quick(20, ({ node }) => {
    node.site.linkUp = false;
    return undefined;
  }),

  *"forget-idle-clients"({ world, node }) {
    yield lasts(world, 10);
    if (node.site.server !== undefined) forgetIdle(world, node, node.site.server);
    return undefined;
  },

  *"record-clients"({ world, node }, context) {
    const watched = yield* context.endWatch();
    yield lasts(world, 15);
    const { server } = node.site;
    const state = stateMount(node);
    if (server === undefined || state === undefined) return undefined;
    context.found.lastEntry = world.logic.nextLedger({
      node: node.name,
      nowMs: world.events.nowMs,
      sight: sightOf(world, server, state.view),
      lockMemory: watched.lockMemory,
      previous: ledgerOn(state.view),
      waiting: watched.waiting,
      final: true,
    });
    return undefined;
  },

  *"close-ledger"({ world, node }, { found }) {
    yield lasts(world, 10);
    const state = stateMount(node);
    const { lastEntry } = found;
    // Its name may be on the platters before its text is: whoever reads it then cannot understand it.
    if (state !== undefined && lastEntry !== undefined) change(state, (disk) => void (disk.ledger = lastEntry));
    return undefined;
  },

  "kill-statd": quick(10, ({ node }) => {
    node.site.statd = false;
    node.site.rpcbind = false;
    node.site.notifier = false;
    return undefined;
  }),

  *"stop-nfsd"({ world, node, agent, command }, { endWatch }) {
    const { server } = node.site;
    if (server === undefined) return undefined;
    const { waiting } = yield* endWatch();
    // A thread that is at the storage is waited for.
    return yield* command(50, (ended) => {
      if (waiting.v4)
        after(world.events, agent.owner, STOP_HANGS_MS, () => {
          if (node.site.server === server) node.site.nfsdcld = false;
        });
      whenStorage(node, () => {
        if (node.site.server !== undefined) stopServer(world, node);
        ended();
      });
    });
  },

  "stop-daemons": quick(20, ({ node: { site } }) => {
    for (const name of ["rpcbind", "statd", "mountd", "nfsdcld", "notifier"] as const) site[name] = false;
    return undefined;
  }),

  *"unmount-volume"(tools) {
    const { world, node, step } = tools;
    const { index } = volumeOf(tools);
    for (let waitedMs = 0; waitedMs < step.boundMs; waitedMs += UNMOUNT_INTERVAL_MS) {
      const on = node.site.mounts[index];
      if (on === undefined) return undefined;
      const { site } = node;
      if (site.server === undefined && !site.nfsdcld && !site.mountd) {
        return yield* tools.command(60, (ended) =>
          whenStorage(node, () => {
            if (node.site.mounts[index] === on) writeBack(world, node, on);
            if (node.site.mounts[index] === on) node.site.mounts[index] = undefined;
            ended();
          }),
        );
      }
      yield UNMOUNT_INTERVAL_MS;
    }
    return "busy";
  },

  *"deactivate-volume"(tools) {
    const { node } = tools;
    const { index } = volumeOf(tools);
    if (node.site.active[index] !== true) return undefined;
    return yield* tools.command(80, (ended) => {
      const used = node.site.mounts[index] !== undefined || node.site.mounting > 0;
      if (!used) node.site.active[index] = false;
      ended(used ? "in use" : undefined);
    });
  },

  // Engine pacemaker: the reservation stays, because without any a node that was fenced could write again.
  "release-luns": quick(1, () => undefined),
};

/** Everything that is in memory goes to the platters, or is refused there. */
function writeBack(world: World, node: SimNode, on: Mount): void {
  const written = arrive(world, node, on, (disk) => {
    for (let client = 0; client < disk.versions.length; client++)
      disk.versions[client] = Math.max(disk.versions[client] ?? 0, on.view.versions[client] ?? 0);
  });
  if (written) sync(world, node, on);
}
