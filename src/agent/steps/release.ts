/** The deeds of a release; what they do and why in which order stands in failover/release.ts. */
import { rm } from "node:fs/promises";
import { Fault, messageOf } from "../../base/fault.ts";
import { nextLedger } from "../../failover/ledger.ts";
import { STOP_HANGS_MS } from "../../failover/release.ts";
import { parseSendQueues } from "../../linux/proc-net-tcp.ts";
import { claim, deactivateVolume, mapperName } from "../../lvm/volume-group.ts";
import type { FileserverSpec } from "../../model/spec.ts";
import { dropReservation } from "../../scsi/reservation.ts";
import { runChecked } from "../../system/commands.ts";
import { servedPorts } from "../../nfs/configuration.ts";
import { waitFor } from "../../system/clock.ts";
import { toolPath } from "../../system/tools.ts";
import { holdLink, takeLinkDown } from "../address.ts";
import { factsOf, groupOf, scaled, type StepContext } from "../context.ts";
import { runInside, saidBy } from "../holder-client.ts";
import {
  endProcess,
  exists,
  linkIsUp,
  mapperDevice,
  mountsInside,
  nfsdThreads,
  readOptional,
  scopeProcesses,
  type ScopeProcess,
} from "../inside.ts";
import { readLedger, writeLastEntry } from "../ledger-file.ts";
import { openServiceEye } from "../look-at-service.ts";
import { waitingForLockd } from "../lockd-waker.ts";
import { freeLockedFiles } from "../nlm-files.ts";
import { holderFolder, scopeFolder, volumePath } from "../places.ts";
import type { StepRunners } from "../runner.ts";
import { makeRoom } from "../spare-room.ts";
import { usedOutside } from "../volume-facts.ts";
import { stateFolder } from "../state-folder.ts";
import { forgetIdleClients } from "../v4-clients.ts";

type ReleaseSteps = Pick<
  StepRunners,
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
  | "release-luns"
  | "remove-namespaces"
>;

const UNMOUNT_INTERVAL_MS = 100;
/** On a LAN an acknowledgement takes a millisecond; a client that is gone must not hold up the others. */
const DRAIN_BOUND_MS = 50;
const DRAIN_INTERVAL_MS = 2;
const GONE_INTERVAL_MS = 10;

/** There while udevd has events (udev_queue_is_empty of systemd). */
const UDEV_QUEUE = "/run/udev/queue";
const UDEV_NOTICES_MS = 100;
const UDEV_BOUND_MS = 500;
const UDEV_INTERVAL_MS = 20;

/** Daemons that hold nothing but would tell lockd and clients the wrong thing if they ended politely. */
const STATD_NAMES = ["rpcbind", "rpc.statd", "sm-notify"];
const NFSDCLD = "nfsdcld";
/** By name, because the holder's own commands run in the same scope at the same time. */
const DAEMON_NAMES = [...STATD_NAMES, "rpc.mountd", NFSDCLD];

export const releaseSteps: ReleaseSteps = {
  "sync-volumes": async ({ fileserver }, context, boundMs) => {
    const mounted = await mountedVolumes(fileserver, context);
    if (mounted.length === 0) return { outcome: "already" };
    await runInside(context.holder(), [[toolPath("sync"), "-f", ...mounted]], boundMs);
  },

  "hand-over-volume-group": async ({ fileserver, volume, successorSystemId }, context) => {
    const group = groupOf(fileserver, volume, context);
    if (group.systemId === successorSystemId) return { outcome: "already" };
    await runChecked(context.node.commands, claim(group, successorSystemId));
    await udevSettled(context);
    return { detail: `${group.name} is labelled for ${successorSystemId}` };
  },

  "hold-requests": async (_, context) => {
    // Up to here clients are served, however long the steps before this one take: what they lock has to be written down.
    await context.endWatch();
    if (!(await linkIsUp(context.insidePid()))) return { outcome: "already" };
    holdLink(context.insidePid());
    return undefined;
  },

  "silence-address": async ({ fileserver }, context) => {
    const pid = context.insidePid();
    if (!(await linkIsUp(pid))) return { outcome: "already" };
    const drain = {
      what: "the last answers",
      timeoutMs: scaled(context.node, DRAIN_BOUND_MS),
      intervalMs: DRAIN_INTERVAL_MS,
    };
    const drained = await waitFor(context.node.clock, drain, async () =>
      (await unsentBytes(fileserver, pid)) === 0 ? true : undefined,
    );
    takeLinkDown(pid);
    return drained === undefined ? { detail: "not every answer was acknowledged" } : undefined;
  },

  "forget-idle-clients": async (_, context) => {
    const pid = context.insidePid();
    if ((await nfsdThreads(pid)) === 0) return { outcome: "already" };
    const names = await forgetIdleClients(pid);
    return names.length === 0 ? { outcome: "already" } : { detail: `hold nothing: ${names.join(", ")}` };
  },

  "record-clients": async ({ fileserver }, context) => {
    const { node } = context;
    const watched = await context.endWatch();
    const pid = context.insidePid();
    // Without a running server there is nothing new to record, and an older record still counts.
    if ((await nfsdThreads(pid)) === 0) return { outcome: "already" };
    // Nothing new is let in any more: what lockd has not read yet it reads within moments, and its locks are final then.
    const drain = { what: "lockd", timeoutMs: scaled(node, DRAIN_BOUND_MS), intervalMs: DRAIN_INTERVAL_MS };
    const drained = await waitFor(node.clock, drain, () =>
      Promise.resolve(waitingForLockd(fileserver, pid) === 0 || undefined),
    );
    const [sight, before] = await Promise.all([
      openServiceEye(fileserver, pid).then((eye) => eye.look()),
      readLedger(stateFolder(pid, fileserver)),
    ]);
    // A request that waits in a socket may still be granted: then this is not the last word.
    const final = drained === true;
    context.found.lastEntry = nextLedger({
      node: node.name,
      nowMs: node.clock.wallMs(),
      sight,
      lockMemory: watched.lockMemory,
      previous: before.known ? before.value : undefined,
      waiting: watched.waiting,
      final,
    });
    const { connections, v3Locks } = context.found.lastEntry;
    return { detail: `${connections.length} connections, ${v3Locks.length} v3 locks${final ? "" : ", more may come"}` };
  },

  "close-ledger": async ({ fileserver }, context) => {
    const { lastEntry } = context.found;
    if (lastEntry === undefined) return { outcome: "already" };
    const folder = stateFolder(context.insidePid(), fileserver);
    try {
      await makeRoom(folder);
      await writeLastEntry(folder, lastEntry);
    } catch (error) {
      // The entry before it stands, as after a crash: the next takeover waits for everybody in it. To stay would be worse.
      return { detail: `not written: ${messageOf(error)}` };
    }
    return undefined;
  },

  "kill-statd": async ({ fileserver }, context, boundMs) => {
    const victims = async (): Promise<readonly ScopeProcess[]> =>
      (await scopeProcesses(fileserver.name)).filter((process) => STATD_NAMES.includes(process.name));
    const first = await victims();
    for (const victim of first) endProcess(victim.pid);
    // Gone, and not only about to go: one last request of lockd's would still take a client from the list.
    const bound = { what: "statd", timeoutMs: boundMs, intervalMs: DRAIN_INTERVAL_MS };
    const gone = await waitFor(context.node.clock, bound, async () =>
      first.length === 0 || (await victims()).length === 0 ? true : undefined,
    );
    if (gone === undefined)
      throw new Fault({ code: "statd-still-running", what: `statd of ${fileserver.name} did not end` });
    return { outcome: first.length === 0 ? "already" : "done" };
  },

  "stop-nfsd": async ({ fileserver }, context, boundMs) => {
    if ((await nfsdThreads(context.insidePid())) === 0) return { outcome: "already" };
    const stop = runInside(context.holder(), [["write_file", "/proc/fs/nfsd/threads", "0"]], boundMs);
    if ((await context.endWatch()).waiting.v4) await strikeNobody(fileserver, context, stop);
    await stop;
    const threads = await nfsdThreads(context.insidePid());
    if (threads !== 0)
      throw new Fault({ code: "nfsd-still-running", what: `nfsd of ${fileserver.name} still runs ${threads} threads` });
    context.node.lockdStopped?.(fileserver.name);
  },

  "stop-daemons": async ({ fileserver }, context, boundMs) => {
    const { clock } = context.node;
    const gone = await waitFor(
      clock,
      { what: "the daemons", timeoutMs: boundMs, intervalMs: GONE_INTERVAL_MS },
      async () => {
        const left = (await scopeProcesses(fileserver.name)).filter((process) => DAEMON_NAMES.includes(process.name));
        for (const process of left) endProcess(process.pid);
        return left.length === 0 ? true : undefined;
      },
    );
    if (gone === undefined)
      throw new Fault({
        code: "daemons-still-running",
        what: `daemons of ${fileserver.name} did not end within ${boundMs} ms`,
      });
  },

  "unmount-volume": async ({ volume }, context, boundMs) => {
    const { clock } = context.node;
    let said = "";
    let found = false;
    let freed: string | undefined;
    const unmounted = await waitFor(
      clock,
      { what: "the unmount", timeoutMs: boundMs, intervalMs: UNMOUNT_INTERVAL_MS },
      async () => {
        const mounts = await mountsInside(context.insidePid());
        const paths = [volume.mountPath, volumePath(volume)].filter((path) =>
          mounts.some((mount) => mount.path === path && mount.filesystem === volume.filesystem),
        );
        if (paths.length === 0) return true;
        found = true;
        const result = await context.holder().run([[toolPath("umount"), ...paths]], boundMs);
        said = saidBy(result);
        if (result.status !== 0)
          freed ??= await freeLockedFiles(context.insidePid(), context.holder(), volume, boundMs);
        return result.status === 0 ? true : undefined;
      },
    );
    if (unmounted === undefined)
      throw new Fault({ code: "volume-busy", what: `volume ${volume.name} could not be unmounted: ${said}` });
    return { outcome: found ? "done" : "already", ...(freed === undefined ? {} : { detail: freed }) };
  },

  "deactivate-volume": async ({ fileserver, volume }, context) => {
    const { device } = volume;
    if (device.kind !== "lv" || (await mapperDevice(mapperName(device.vg, device.lv))) === undefined)
      return { outcome: "already" };
    await deactivateVolume(context.node.commands, groupOf(fileserver, volume, context), device.lv).catch(
      async (error: unknown) => Promise.reject((await usedOutside(context.node, volume)) ?? error),
    );
  },

  "release-luns": async ({ fileserver, volume }, context) => {
    // A node that was fenced would be let in where no reservation stands (docs/fencing.md).
    if (context.node.engine === "pacemaker") return { outcome: "already", detail: "the reservation stays" };
    for (const disk of factsOf(fileserver, volume, context).disks)
      await dropReservation(context.node.reservations, disk, context.node.reservationKey);
    return undefined;
  },

  "remove-namespaces": async ({ fileserver }, context, boundMs) => {
    const gone = await waitFor(
      context.node.clock,
      { what: "the namespaces", timeoutMs: boundMs, intervalMs: GONE_INTERVAL_MS },
      async () => {
        for (const process of await scopeProcesses(fileserver.name)) endProcess(process.pid);
        return (await exists(scopeFolder(fileserver.name))) && (await scopeProcesses(fileserver.name)).length > 0
          ? undefined
          : true;
      },
    );
    if (gone === undefined)
      throw new Fault({
        code: "namespaces-still-used",
        what: `processes of ${fileserver.name} did not end within ${boundMs} ms`,
      });
    await rm(holderFolder(fileserver.name), { recursive: true, force: true });
  },
};

/**
 * udev looks anew at a disk that was written (60-block.rules, "watch"). Better now than while clients wait: on a small
 * machine it would take a part of the processor from the steps that follow.
 */
async function udevSettled({ node }: StepContext): Promise<void> {
  await node.clock.sleep(UDEV_NOTICES_MS);
  const bound = { what: "udev", timeoutMs: scaled(node, UDEV_BOUND_MS), intervalMs: UDEV_INTERVAL_MS };
  await waitFor(node.clock, bound, async () => ((await exists(UDEV_QUEUE)) ? undefined : true));
}

/** While nfsd's grace lasts; resolves when the stop has ended or goes on without nfsdcld. Never rejects. */
async function strikeNobody(fileserver: FileserverSpec, { node }: StepContext, stop: Promise<unknown>): Promise<void> {
  const ended = stop.then(
    () => true,
    () => true,
  );
  if (await Promise.race([ended, node.clock.sleep(STOP_HANGS_MS).then(() => false)])) return;
  for (const process of await scopeProcesses(fileserver.name)) if (process.name === NFSDCLD) endProcess(process.pid);
}

async function mountedVolumes(fileserver: FileserverSpec, context: StepContext): Promise<readonly string[]> {
  const mounts = await mountsInside(context.insidePid());
  return fileserver.volumes.map(volumePath).filter((path) => mounts.some((mount) => mount.path === path));
}

/** Bytes of answers that clients have not acknowledged; a socket that only waits for its FIN counts one, which is left out. */
async function unsentBytes(fileserver: FileserverSpec, pid: number): Promise<number> {
  const texts = await Promise.all(["tcp", "tcp6"].map((name) => readOptional(`/proc/${pid}/net/${name}`)));
  const queues = texts.flatMap((text) => parseSendQueues(text ?? "", servedPorts(fileserver)));
  return queues.reduce((sum, bytes) => sum + Math.max(0, bytes - 1), 0);
}
