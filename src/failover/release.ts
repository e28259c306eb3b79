/** Release: out of service in good order, so that the next takeover finds everything. Every step may find its work done. */
import type { FileserverSpec, VolumeSpec } from "../model/spec.ts";
import {
  checkGraph,
  fileserverStep,
  STEP_BOUNDS_MS,
  volumesOfGroup,
  volumeStep,
  volumeStepId,
  type Step,
  type StepGraph,
} from "./step.ts";

/**
 * How long the stop of nfsd may take before nfsdcld is ended beside it, while nfsd's grace lasts: where the stop hangs,
 * nfsd ends that grace by itself and has whoever has not said that he is done struck from the database, though his
 * requests were held. Without the daemon nothing is struck, and the next start finds the list with which this grace began
 * (sqlite_grace_start, nfs-utils utils/nfsdcld/sqlite.c); only reclaims were granted in it, so nobody else is missed.
 * Not at once: a client whose RECLAIM_COMPLETE is just being written would keep the stop waiting for 30 s, until nfsd
 * gives up the daemon (RPC_PIPE_WAIT_FOR_OPEN, net/sunrpc/rpc_pipe.c). Not scaled: graces are not either.
 */
export const STOP_HANGS_MS = 5_000;

/** @param successorSystemId the node that takes over next, where that is known: it is spared the writing of the label. */
export function releaseGraph(fileserver: FileserverSpec, successorSystemId?: string): StepGraph {
  const handedOver = successorSystemId === undefined ? [] : handOverSteps(fileserver, successorSystemId);
  const deactivated = fileserver.volumes.map((volume) => volumeStepId("deactivate-volume", volume));
  // A client that holds nothing would be waited for all the same by the next takeover, until it next renews its lease.
  const idle = fileserver.protocols.includes("v4")
    ? [fileserverStep("forget-idle-clients", fileserver, ["hold-requests"])]
    : [];
  return checkGraph([
    // While clients still work: what is written now need not be written while they wait.
    fileserverStep("sync-volumes", fileserver),
    ...handedOver,
    // Nothing new is let in and nothing goes out that would end a connection, but what is under way is still answered:
    // an answer that is lost makes the client repeat a request that was done (linux/hold-filter.ts).
    fileserverStep("hold-requests", fileserver, ["sync-volumes", ...handedOver.map((step) => step.id)]),
    ...idle,
    fileserverStep("record-clients", fileserver, ["hold-requests", ...idle.map((step) => step.id)]),
    fileserverStep("close-ledger", fileserver, ["record-clients"]),
    // statd and rpcbind die together and at once: a polite stop empties statd's list or costs 61 s
    // (docs/kernel-nfs.md, section 6, traps 2 and 3). Not before lockd has read what waits in its sockets: the first
    // lock of a client is refused when statd does not answer.
    fileserverStep("kill-statd", fileserver, ["record-clients"]),
    // Ends when every thread has answered what it was at.
    fileserverStep("stop-nfsd", fileserver, ["kill-statd"]),
    // The link goes down when the last answers have been acknowledged.
    fileserverStep("silence-address", fileserver, ["stop-nfsd"]),
    // They hold files of the volume open (nfsdcld its database) or could (mountd).
    fileserverStep("stop-daemons", fileserver, ["stop-nfsd"]),
    ...fileserver.volumes.flatMap((volume) => volumeSteps(fileserver, volume)),
    // Last, and only when no volume is active any more: volumes of one group share their disks, and what is no longer
    // reserved here cannot be written from here.
    ...fileserver.volumes.map((volume) =>
      volumeStep("release-luns", fileserver, volume, ["silence-address", ...deactivated]),
    ),
  ]);
}

/**
 * The label is written by the node that still serves, before its clients wait: it alone holds the reservation. For
 * that moment the group carries the next node's name while it is active here; the reservation keeps that node out.
 */
function handOverSteps(fileserver: FileserverSpec, successorSystemId: string): readonly Step[] {
  return fileserver.volumes
    .filter((volume) => volumesOfGroup(fileserver, volume).at(-1) === volume)
    .map((volume) => ({
      id: volumeStepId("hand-over-volume-group", volume),
      kind: "hand-over-volume-group",
      args: { fileserver, volume, successorSystemId },
      after: [],
      boundMs: STEP_BOUNDS_MS["hand-over-volume-group"],
    }));
}

function volumeSteps(fileserver: FileserverSpec, volume: VolumeSpec): readonly Step[] {
  return [
    volumeStep("unmount-volume", fileserver, volume, ["stop-daemons", "close-ledger"]),
    volumeStep("deactivate-volume", fileserver, volume, [volumeStepId("unmount-volume", volume)]),
  ];
}
