/** The deeds of a takeover; what they do and why in which order stands in failover/takeover.ts. */
import { mkdir, writeFile } from "node:fs/promises";
import { assert } from "../../base/assert.ts";
import { Fault, messageOf } from "../../base/fault.ts";
import { known, unknown, type Observed } from "../../base/observed.ts";
import { ruleBeforeOpening } from "../../failover/grace.ts";
import { standbyDaemons } from "../../failover/judge.ts";
import { reopenedLedger, type ClientConnection, type MonitoredClient } from "../../failover/ledger.ts";
import type { HolderCommand } from "../../linux/holder.ts";
import { activateVolume, claim, mapperName } from "../../lvm/volume-group.ts";
import type { FileserverSpec, VolumeSpec } from "../../model/spec.ts";
import { nfsdStart } from "../../nfs/configuration.ts";
import { tickleInput } from "../../nfs/tickle.ts";
import { preemptReservation, reservedByOther, reservedByStranger, takeReservation } from "../../scsi/reservation.ts";
import { waitFor } from "../../system/clock.ts";
import { toolPath } from "../../system/tools.ts";
import { announceLink, openLink } from "../address.ts";
import { keepWriteAheadLog } from "../client-database.ts";
import { factsOf, type StepContext } from "../context.ts";
import { runInside, saidBy, type HolderResult } from "../holder-client.ts";
import { linkIsUp, mapperDevice, mountsInside, nfsdThreads, openFiles, scopeProcesses } from "../inside.ts";
import { forgetLedger, readLedger, writeLedger } from "../ledger-file.ts";
import { readList } from "../look-at-service.ts";
import { exportedPath, insidePath, volumePath } from "../places.ts";
import { notifyRetired } from "../notify.ts";
import { addressesToProbe, probeAddress, refuseTaken } from "../probe.ts";
import { toldText } from "../directors.ts";
import { confirmRegistered } from "../registered-luns.ts";
import { registerNfsd } from "../rpcbind.ts";
import type { StepReport, StepRunners } from "../runner.ts";
import {
  forgetRetired,
  makeDatabaseFolder,
  nfsdcldPath,
  prepareStateFolder,
  stateFolder,
  turnToVolume,
  unretire,
  type StateFolder,
} from "../state-folder.ts";
import { nextTerm } from "../term.ts";

type TakeoverSteps = Pick<
  StepRunners,
  | "probe-address"
  | "reserve-luns"
  | "announce-address"
  | "activate-volume"
  | "claim-volume-group"
  | "mount-volume"
  | "prepare-state"
  | "reopen-ledger"
  | "start-nfsdcld"
  | "start-nfsd"
  | "end-lockd-grace"
  | "open-address"
  | "tell-directors"
  | "tickle-connections"
  | "notify-clients"
>;

const TICKLE_INPUT = "/run/holdfast/tickle";

export const takeoverSteps: TakeoverSteps = {
  "probe-address": async ({ fileserver }, context) => {
    if (context.addressesProbed) return { outcome: "already", detail: "asked while preparing" };
    for (const address of addressesToProbe(context.node, fileserver))
      refuseTaken(fileserver, address, await probeAddress(context.node, fileserver, address));
    return undefined;
  },

  "reserve-luns": async ({ fileserver, volume }, context) => {
    const { node } = context;
    for (const disk of factsOf(fileserver, volume, context).disks) {
      if (node.engine === "pacemaker") {
        await confirmRegistered(node, disk);
        continue;
      }
      const victim = context.fencedKey;
      const holder = victim === undefined ? undefined : await node.reservations.readHolder(disk);
      if (victim !== undefined && holder === victim)
        await preemptReservation(node.reservations, disk, node.reservationKey, victim);
      else
        await takeReservation(node.reservations, disk, node.reservationKey, context.handedOver).catch(
          (error: unknown) => Promise.reject(withNodeName(error, context, disk)),
        );
    }
  },

  "announce-address": async (_, context) => {
    if (context.handedOver) return { outcome: "already", detail: "the node before is silent" };
    const said: string[] = [];
    await announceLink(context.insidePid(), (line) => void said.push(line));
    return said.length === 0 ? undefined : { detail: said.join("; ") };
  },

  "activate-volume": async ({ fileserver, volume }, context) => {
    const { group } = factsOf(fileserver, volume, context);
    if (group === undefined || volume.device.kind !== "lv") return { outcome: "already" };
    await activateVolume(context.node.commands, group, volume.device.lv, context.systemId);
  },

  "claim-volume-group": async ({ fileserver, volume }, context) => {
    const { group } = factsOf(fileserver, volume, context);
    if (group === undefined || group.systemId === context.systemId) return { outcome: "already" };
    const result = await context.node.commands.run(claim(group, context.systemId));
    // Clients are served already, and the next takeover accepts the group under whatever name it has.
    if (result.status !== 0) return { detail: `${group.name} keeps its label: ${saidBy(result)}` };
    return undefined;
  },

  "mount-volume": async ({ volume }, context, boundMs) => {
    const device = await deviceOf(volume);
    const pid = context.insidePid();
    const mounts = await mountsInside(pid);
    const isMounted = (path: string): boolean =>
      mounts.some((mount) => mount.path === path && mount.filesystem === volume.filesystem);
    const mount = [toolPath("mount"), "--no-mtab", "--internal-only"];
    const whole = [...mount, "-t", volume.filesystem, device, volumePath(volume)];
    const bind = [...mount, "--bind", exportedPath(volume), volume.mountPath];
    // In one go: the folder of the exports is missing only on a volume that was never served.
    if (!isMounted(volumePath(volume))) {
      const both = await context.holder().run([whole, bind], boundMs);
      if (both.status !== 0 && !(await isMountedNow(pid, volume))) throw mountFault(volume, device, both);
      if (both.status !== 0) await bindExported(volume, context, bind, boundMs);
    } else if (!isMounted(volume.mountPath)) await bindExported(volume, context, bind, boundMs);
    if (volume.filesystem === "xfs") await failFastMetadata(device);
  },

  "prepare-state": async ({ fileserver }, context) => {
    const pid = context.insidePid();
    const folder = stateFolder(pid, fileserver);
    context.found.ledger = await readLedger(folder);
    const last = context.found.ledger.known ? context.found.ledger.value : undefined;
    // Who has been notified of the takeover before and has not reclaimed yet is in no list of statd's any more.
    const expected = last?.v3Clients ?? [];
    await prepareStateFolder(folder, context.node.name, context.node.clock.wallMs(), expected);
    if (context.node.directors?.side(fileserver.name) !== undefined) await countTerm(folder, context);
    await turnToVolume(pid, fileserver);
    // Ready to be sent the moment the address is open.
    await writeFile(insidePath(pid, TICKLE_INPUT), tickleInput(connectionsBefore(context)));
    context.found.inherited = { ledger: context.found.ledger, monitored: await retiredClients(fileserver, folder) };
  },

  "reopen-ledger": async ({ fileserver }, context) => {
    const folder = stateFolder(context.insidePid(), fileserver);
    return reopenLedger(folder, context);
  },

  "start-nfsdcld": async ({ fileserver }, context, boundMs) => {
    const database = await makeDatabaseFolder(stateFolder(context.insidePid(), fileserver));
    const log = await keepWriteAheadLog(database).catch((error: unknown) => messageOf(error));
    await runInside(
      context.holder(),
      [[toolPath("nfsdcld"), "-s", nfsdcldPath(fileserver), "-p", "/run/rpc_pipefs"]],
      boundMs,
    );
    // Its first process ends before the database is open; it is ready when it watches for nfsd's pipe, and nfsd waits
    // only a second for it (nfsd4_cld_tracking_init, fs/nfsd/nfs4recover.c).
    const bound = { what: "nfsdcld", timeoutMs: boundMs, intervalMs: DAEMON_INTERVAL_MS };
    const ready = await waitFor(context.node.clock, bound, async () =>
      (await nfsdcldHas(fileserver, "inotify")) ? true : undefined,
    );
    if (ready === undefined)
      throw new Fault({
        code: "nfsdcld-not-ready",
        what: `nfsdcld of ${fileserver.name} did not open its database in time`,
      });
    // Without its log it works all the same, only later; what is wrong with it nfsdcld would have found.
    return typeof log === "string" ? { detail: `its database keeps its journal: ${log}` } : undefined;
  },

  "start-nfsd": async ({ fileserver }, context, boundMs) => {
    const { threads } = fileserver.nfs;
    if ((await nfsdThreads(context.insidePid())) === threads) return { outcome: "already" };
    // By a process inside: whoever writes `threads` gives the server its identity, the writer's host name.
    await runInside(
      context.holder(),
      nfsdStart(fileserver).map(([name, text]): HolderCommand => ["write_file", `/proc/fs/nfsd/${name}`, text]),
      boundMs,
    );
    await registerNfsd(fileserver, context.insidePid(), boundMs);
    const started = await nfsdThreads(context.insidePid());
    if (started !== threads)
      throw new Fault({ code: "nfsd-threads", what: `nfsd runs ${started} threads instead of ${threads}` });
    // Without its database nfsd would refuse every reclaim: all v4 locks lost (nfs4_check_open_reclaim, fs/nfsd/nfs4state.c).
    if (fileserver.protocols.includes("v4") && !(await nfsdcldHas(fileserver, "/nfsd/cld"))) {
      throw new Fault({
        code: "nfsdcld-not-connected",
        what: `nfsd of ${fileserver.name} started without its client database`,
      });
    }
  },

  "end-lockd-grace": async (_, context, boundMs) => {
    const { inherited } = context.found;
    assert(inherited !== undefined, "prepare-state has looked at what the server before left");
    const ruling = ruleBeforeOpening(inherited);
    if (ruling.end) {
      await runInside(context.holder(), [["write_file", "/proc/fs/lockd/nlm_end_grace", "Y"]], boundMs);
      context.found.nobodyToNotify = true;
    }
    return { detail: `${ruling.end ? "ended" : "kept"}: ${ruling.because.join("; ")}` };
  },

  "open-address": async ({ fileserver }, context, boundMs) => {
    await refuseSilentPorts(fileserver);
    const routes = context.node.directors?.side(fileserver.name)?.routes;
    await openLink(fileserver, context.holder(), context.insidePid(), boundMs, routes);
    if (!(await linkIsUp(context.insidePid())))
      throw new Fault({ code: "link-not-up", what: `the link of ${fileserver.name} did not come up` });
  },

  "tell-directors": async ({ fileserver }, { node, found }) => {
    // A director that does not answer finds out by its own checks: no reason to fail.
    const told = await node.directors?.say(fileserver.name, "serving", found.term);
    return told === undefined ? { outcome: "already" } : { detail: toldText(told) };
  },

  "tickle-connections": async (_, context, boundMs) => {
    const connections = connectionsBefore(context);
    if (connections.length === 0) return { outcome: "already", detail: "no connection was recorded" };
    const result = await context
      .holder()
      .run([["with_input", TICKLE_INPUT, toolPath("tickle_tcp"), "-n", "1"]], boundMs);
    // Clients are served already and come back without it too, only later: no reason to undo the takeover.
    if (result.status !== 0) return { detail: `not all of ${connections.length} connections: ${saidBy(result)}` };
    return { detail: `${connections.length} connections` };
  },

  "notify-clients": async ({ fileserver }, context, boundMs) => {
    if (context.found.nobodyToNotify === true) {
      // A client that was notified after it took a new lock here would try to reclaim that one, and be refused.
      await forgetRetired(stateFolder(context.insidePid(), fileserver));
      return { outcome: "already", detail: "nobody holds a lock that has to be reclaimed" };
    }
    await notifyRetired(fileserver, context.holder(), boundMs);
    const monitored = context.found.inherited?.monitored;
    return { detail: monitored?.known === true ? `${monitored.value.length} clients` : "statd's list is not known" };
  },
};

/** Before the address is open; what the ruling is told stays what was found. */
export async function reopenLedger(
  folder: StateFolder,
  { node, found }: Pick<StepContext, "node" | "found">,
): Promise<StepReport | undefined> {
  const { ledger, inherited } = found;
  const before = ledger.known ? ledger.value : undefined;
  const retired = inherited?.monitored.known === true ? inherited.monitored.value : [];
  const entry = reopenedLedger({ node: node.name, nowMs: node.clock.wallMs(), found: before, retired });
  found.reopened = entry;
  const same = ledger.known && entry === before;
  if (!same) await (entry === undefined ? forgetLedger(folder) : writeLedger(folder, entry));
  await unretire(
    folder,
    (entry?.late ?? []).map(({ name }) => name),
  );
  return same ? { outcome: "already" } : undefined;
}

/** Clients are not kept waiting for a number: without it the directors go by what the nodes say. */
async function countTerm(folder: StateFolder, { found, node }: StepContext): Promise<void> {
  try {
    found.term = await nextTerm(folder);
  } catch (error) {
    node.log(`${folder.fileserver.name}: this takeover has no number: ${messageOf(error)}`);
  }
}

function connectionsBefore({ found }: StepContext): readonly ClientConnection[] {
  return found.ledger.known ? (found.ledger.value?.connections ?? []) : [];
}

async function retiredClients(
  fileserver: FileserverSpec,
  folder: StateFolder,
): Promise<Observed<readonly MonitoredClient[]>> {
  if (!fileserver.protocols.includes("v3")) return known([]);
  try {
    const problems: string[] = [];
    const clients = await readList(folder, "retired", problems);
    return problems.length === 0 ? known(clients) : unknown(problems.join("; "));
  } catch (error) {
    return unknown(messageOf(error));
  }
}

/** A client that finds a port closed backs off for seconds: better no address than one with half the service behind it. */
async function refuseSilentPorts(fileserver: FileserverSpec): Promise<void> {
  const running = (await scopeProcesses(fileserver.name)).map((process) => process.name);
  const missing = standbyDaemons(fileserver.protocols.includes("v3")).filter((name) => !running.includes(name));
  if (missing.length > 0)
    throw new Fault({ code: "daemon-missing", what: `${missing.join(", ")} of ${fileserver.name} does not run` });
}

const DAEMON_INTERVAL_MS = 5;

/** True where nfsdcld has a file open whose name ends so. */
async function nfsdcldHas(fileserver: FileserverSpec, ending: string): Promise<boolean> {
  const daemon = (await scopeProcesses(fileserver.name)).find((process) => process.name === "nfsdcld");
  return daemon !== undefined && (await openFiles(daemon.pid)).some((name) => name.endsWith(ending));
}

function withNodeName(error: unknown, context: StepContext, disk: string): unknown {
  if (!(error instanceof Fault) || error.code !== "volume-reserved") return error;
  const holder = /0x[0-9a-f]+/.exec(error.message)?.[0];
  const name = holder === undefined ? undefined : context.node.nodeOfKey(holder);
  if (holder === undefined) return error;
  return name === undefined ? reservedByStranger(disk, holder) : reservedByOther(disk, holder, name);
}

export async function deviceOf(volume: VolumeSpec): Promise<string> {
  if (volume.device.kind === "disk") return volume.device.path;
  const name = mapperName(volume.device.vg, volume.device.lv);
  const device = await mapperDevice(name);
  if (device === undefined)
    throw new Fault({
      code: "volume-not-active",
      what: `logical volume ${volume.device.vg}/${volume.device.lv} is not active`,
    });
  return device;
}

async function isMountedNow(pid: number, volume: VolumeSpec): Promise<boolean> {
  return (await mountsInside(pid)).some(
    (mount) => mount.path === volumePath(volume) && mount.filesystem === volume.filesystem,
  );
}

async function bindExported(
  volume: VolumeSpec,
  context: StepContext,
  bind: HolderCommand,
  boundMs: number,
): Promise<void> {
  await mkdir(insidePath(context.insidePid(), exportedPath(volume)), { recursive: true });
  await runInside(context.holder(), [bind], boundMs);
}

function mountFault(volume: VolumeSpec, device: string, result: HolderResult): Fault {
  const cause = new Error(saidBy(result));
  if (/structure needs cleaning|bad superblock|can't read superblock|corrupt/i.test(result.stderr)) {
    return new Fault({
      kind: "refused",
      code: "filesystem-needs-repair",
      what: `the file system on ${device} (volume ${volume.name}) cannot be mounted as ${volume.filesystem}`,
      why: "it is damaged, or it is another file system; Holdfast repairs nothing by itself",
      remedy: repairRemedy(volume),
      cause,
    });
  }
  return new Fault({ code: "mount-failed", what: `volume ${volume.name} (${device}) could not be mounted`, cause });
}

/** The takeover that met it is undone: the volume is not active any more when this is read. */
function repairRemedy({ device, filesystem }: VolumeSpec): string {
  const look = filesystem === "xfs" ? "xfs_repair -n" : "e2fsck -n";
  if (device.kind === "disk") return `look first, change nothing: ${look} ${device.path}`;
  const name = `${device.vg}/${device.lv}`;
  return `look first, change nothing, on the node that owns the group (vgs -o +systemid --foreign): lvchange -ay ${name}; ${look} /dev/${name}; lvchange -an ${name}`;
}

/**
 * Metadata writes that fail are not tried for ever: a fenced node must not keep them in hand until the reservation
 * comes back (Documentation/admin-guide/xfs.rst, "Error handling"; docs/kernel-nfs.md, section 8).
 */
async function failFastMetadata(device: string): Promise<void> {
  const folder = `/sys/fs/xfs/${device.split("/").at(-1) ?? ""}/error`;
  await writeFile(`${folder}/metadata/default/max_retries`, "0").catch(unsupported);
  await writeFile(`${folder}/fail_at_unmount`, "1").catch(unsupported);
}

function unsupported(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== "ENOENT")
    throw new Fault({ code: "xfs-error-handling", what: messageOf(error), cause: error });
}
