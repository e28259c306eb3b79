/** Release: out of service in good order, so that the next takeover finds everything. Every step may find its work done. */
import type { FileserverSpec, VolumeSpec } from "../model/spec.ts";
import { checkGraph, fileserverStep, volumeStep, volumeStepId, type Step, type StepGraph } from "./step.ts";

export function releaseGraph(fileserver: FileserverSpec): StepGraph {
  const deactivated = fileserver.volumes.map((volume) => volumeStepId("deactivate-volume", volume));
  return checkGraph([
    // While clients still work: what is written now need not be written while they wait.
    fileserverStep("sync-volumes", fileserver),
    // Silence first. A FIN or RST from a stopping server sends clients into connect back-off of 3 s and more;
    // from a silent one they only retransmit (docs/kernel-nfs.md, section 5).
    fileserverStep("silence-address", fileserver, ["sync-volumes"]),
    fileserverStep("record-connections", fileserver, ["silence-address"]),
    fileserverStep("hold-nsm-list", fileserver, ["silence-address"]),
    // statd and rpcbind die together and at once: a polite stop empties statd's list or costs 61 s
    // (docs/kernel-nfs.md, section 6, traps 2 and 3).
    fileserverStep("kill-statd", fileserver, ["hold-nsm-list"]),
    fileserverStep("stop-nfsd", fileserver, ["kill-statd", "record-connections"]),
    // They hold files of the volume open (nfsdcld its database) or could (mountd).
    fileserverStep("stop-daemons", fileserver, ["stop-nfsd"]),
    ...fileserver.volumes.flatMap((volume) => volumeSteps(fileserver, volume)),
    // Last, and only when no volume is active any more: volumes of one group share their disks, and what is no longer
    // reserved here cannot be written from here.
    ...fileserver.volumes.map((volume) => volumeStep("release-luns", fileserver, volume, deactivated)),
  ]);
}

function volumeSteps(fileserver: FileserverSpec, volume: VolumeSpec): readonly Step[] {
  return [
    volumeStep("unmount-volume", fileserver, volume, ["stop-daemons"]),
    volumeStep("deactivate-volume", fileserver, volume, [volumeStepId("unmount-volume", volume)]),
  ];
}
