/** From what was seen on a node to the state of a fileserver there. */
import type { FileserverState } from "./machine.ts";

export interface Sighting {
  /** Processes in the fileserver's scope, by name. */
  readonly processes: readonly string[];
  readonly holder: boolean;
  readonly nfsdThreads: number;
  readonly linkUp: boolean;
  /** A release has begun: no request of a client is let in any more (linux/hold-filter.ts). */
  readonly requestsHeld: boolean;
  /** Of all its volumes: how many are mounted inside, how many are active on this node. */
  readonly volumes: number;
  readonly volumesMounted: number;
  readonly volumesActive: number;
}

export interface Judgement {
  readonly state: Extract<FileserverState, "absent" | "warm" | "serving" | "partial">;
  /** What is missing from a healthy state of that name. */
  readonly lacks: readonly string[];
}

/** Daemons that need no volume: they run in a warm standby and in service. Names as in /proc/PID/comm. */
export function standbyDaemons(v3: boolean): readonly string[] {
  return ["rpcbind", "rpc.mountd", ...(v3 ? ["rpc.statd"] : [])];
}

export function judge(seen: Sighting, v3: boolean): Judgement {
  const missing = (names: readonly string[]): readonly string[] =>
    names.filter((name) => !seen.processes.includes(name));
  if (seen.nfsdThreads > 0 && seen.linkUp && !seen.requestsHeld && seen.volumesMounted === seen.volumes) {
    const lacks = missing([...standbyDaemons(v3), "nfsdcld"]);
    return { state: "serving", lacks: seen.holder ? lacks : [...lacks, "its holder"] };
  }
  if (isEmpty(seen)) {
    if (seen.processes.length === 0) return { state: "absent", lacks: [] };
    const lacks = missing(standbyDaemons(v3));
    if (seen.holder && lacks.length === 0 && !seen.processes.includes("nfsdcld")) return { state: "warm", lacks: [] };
    return { state: "partial", lacks };
  }
  return { state: "partial", lacks: missing(standbyDaemons(v3)) };
}

/** Nothing of the volumes is here, and nobody is served: what is left can be made anew without harm. */
export function isEmpty(seen: Sighting): boolean {
  return seen.nfsdThreads === 0 && !seen.linkUp && seen.volumesMounted === 0 && seen.volumesActive === 0;
}
