/** Takeover: from a warm standby to a fileserver in service. The order is the product; each edge has its reason. */
import type { FileserverSpec, VolumeSpec } from "../model/spec.ts";
import { defined } from "../base/assert.ts";
import {
  checkGraph,
  fileserverStep,
  volumeStep,
  volumesOfGroup,
  volumeStepId,
  type Step,
  type StepGraph,
} from "./step.ts";

/** @param behindDirector clients reach it through a director, which has to be told where their packets go now. */
export function takeoverGraph(fileserver: FileserverSpec, behindDirector = false): StepGraph {
  const mounted = fileserver.volumes.map((volume) => volumeStepId("mount-volume", volume));
  const reserved = fileserver.volumes.map((volume) => volumeStepId("reserve-luns", volume));
  const recoversV3 = fileserver.protocols.includes("v3");
  // What clients answer (to a tickle, to a notification) comes by the director, so it must know the way by then.
  const reachable = behindDirector ? "tell-directors" : "open-address";
  const listening = ["start-nfsd", ...(recoversV3 ? ["end-lockd-grace"] : [])];
  return checkGraph([
    // Asked while the volumes come up: costs no time of its own.
    fileserverStep("probe-address", fileserver),
    ...fileserver.volumes.flatMap((volume) => volumeSteps(fileserver, volume)),
    // A node that was fenced and is not down yet falls silent by it (linux/mute-filter.ts); after the question whether
    // a stranger has the address.
    ...(behindDirector ? [] : [fileserverStep("announce-address", fileserver, ["probe-address", ...reserved])]),
    // The state folder lies on the first volume.
    fileserverStep("prepare-state", fileserver, [volumeStepId("mount-volume", firstVolume(fileserver))]),
    // Once clients are served the ledger is not complete any more: after a crash its last entry must not pass for it.
    fileserverStep("reopen-ledger", fileserver, ["prepare-state"]),
    // nfsd reads its clients from nfsdcld when it starts and refuses every reclaim if nobody answers
    // (nfsd4_cld_tracking_init, fs/nfsd/nfs4recover.c).
    fileserverStep("start-nfsdcld", fileserver, [volumeStepId("mount-volume", firstVolume(fileserver))]),
    // No request before every volume is there: a missing one answers ESTALE. statd's lists are prepared beside it, because
    // lockd asks statd for nothing before a client asks lockd (nsm_monitor, fs/lockd/mon.c).
    fileserverStep("start-nfsd", fileserver, ["start-nfsdcld", ...mounted]),
    ...(recoversV3 ? [fileserverStep("end-lockd-grace", fileserver, ["start-nfsd", "prepare-state"])] : []),
    // Open only when every port listens: one refused connection costs a client 3 to 24 s
    // (xprt_reconnect_backoff, net/sunrpc/xprtsock.c).
    fileserverStep("open-address", fileserver, [
      behindDirector ? "probe-address" : "announce-address",
      "reopen-ledger",
      ...listening,
    ]),
    ...(behindDirector ? [fileserverStep("tell-directors", fileserver, ["open-address"])] : []),
    fileserverStep("tickle-connections", fileserver, [reachable]),
    // The owner's name on the group: written when clients are served, because it is a label and the reservation is the
    // lock. The group is activated under the name that it still has, so every volume of it comes first.
    ...fileserver.volumes.flatMap((volume) => claimStep(fileserver, volume)),
    ...(recoversV3 ? [fileserverStep("notify-clients", fileserver, [reachable])] : []),
  ]);
}

function volumeSteps(fileserver: FileserverSpec, volume: VolumeSpec): readonly Step[] {
  return [
    // Before anything is read for writing: whoever holds the reservation may be writing now.
    volumeStep("reserve-luns", fileserver, volume),
    volumeStep("activate-volume", fileserver, volume, [volumeStepId("reserve-luns", volume)]),
    volumeStep("mount-volume", fileserver, volume, [volumeStepId("activate-volume", volume)]),
  ];
}

/** One per group, at its last volume: LVM refuses to write the name that is there already (_vgchange_system_id, tools/vgchange.c). */
function claimStep(fileserver: FileserverSpec, volume: VolumeSpec): readonly Step[] {
  const group = volumesOfGroup(fileserver, volume);
  if (group.at(-1) !== volume) return [];
  const activated = group.map((one) => volumeStepId("activate-volume", one));
  return [volumeStep("claim-volume-group", fileserver, volume, [...activated, "tickle-connections"])];
}

export function firstVolume(fileserver: FileserverSpec): VolumeSpec {
  return defined(fileserver.volumes[0], `fileserver ${fileserver.name} has no volume`);
}
