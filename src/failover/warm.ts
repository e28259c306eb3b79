/** Warm standby: everything of a fileserver that can exist on a node before its volume does. */
import type { FileserverSpec } from "../model/spec.ts";
import { checkGraph, fileserverStep, type StepGraph } from "./step.ts";

/**
 * Nothing here is on the client's clock. The address is configured but its link is down, so nobody hears of it;
 * rpcbind, mountd and statd listen already, so that they need no start later (docs/kernel-nfs.md, section 2).
 */
export function warmGraph(fileserver: FileserverSpec): StepGraph {
  return checkGraph([
    fileserverStep("create-namespaces", fileserver),
    fileserverStep("create-link", fileserver, ["create-namespaces"]),
    fileserverStep("furnish-namespaces", fileserver, ["create-namespaces"]),
    fileserverStep("install-filter", fileserver, ["furnish-namespaces"]),
    fileserverStep("start-rpcbind", fileserver, ["furnish-namespaces", "create-link"]),
    fileserverStep("start-mountd", fileserver, ["start-rpcbind"]),
    // statd finds its lists through a link that the takeover turns to the volume.
    ...(fileserver.protocols.includes("v3") ? [fileserverStep("start-statd", fileserver, ["start-rpcbind"])] : []),
  ]);
}

/** The end of a warm standby: the namespaces with everything in them. */
export function coldGraph(fileserver: FileserverSpec): StepGraph {
  return checkGraph([fileserverStep("remove-namespaces", fileserver)]);
}
