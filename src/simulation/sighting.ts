/** What the agent sees of the fileserver when it looks (agent/observe.ts). */
import type { Judgement, Sighting } from "../failover/judge.ts";
import type { SimAgent, SimNode, World } from "./world.ts";

export function sightingOf({ site }: SimNode): Sighting {
  const processes = [
    ...(site.holder ? ["sh"] : []),
    ...(site.rpcbind ? ["rpcbind"] : []),
    ...(site.mountd ? ["rpc.mountd"] : []),
    ...(site.statd ? ["rpc.statd"] : []),
    ...(site.nfsdcld ? ["nfsdcld"] : []),
    ...(site.notifier ? ["sm-notify"] : []),
  ];
  return {
    processes,
    holder: site.holder,
    nfsdThreads: site.server === undefined ? 0 : 16,
    linkUp: site.linkUp && !site.silenced,
    requestsHeld: site.requestsHeld,
    volumes: site.mounts.length,
    volumesMounted: site.mounts.filter((one) => one !== undefined).length,
    volumesActive: site.active.filter(Boolean).length,
  };
}

export function look(world: World, node: SimNode): Judgement {
  return world.logic.judge(sightingOf(node), world.fileserver.protocols.includes("v3"));
}

/** Something of the volumes is here, or may be in a moment. */
export function isInUse(world: World, node: SimNode, agent: SimAgent): boolean {
  if (agent.running === "taking-over" || agent.running === "releasing") return true;
  return !world.logic.isEmpty(sightingOf(node));
}
