/** After a takeover that kept lockd's grace: ends it as soon as every lock that was held is held again. */
import { messageOf } from "../base/fault.ts";
import { known, unknown, type Observed } from "../base/observed.ts";
import { ruleReclaimed } from "../failover/grace.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { waitFor } from "../system/clock.ts";
import { scaled, type Node } from "./context.ts";
import { runInside, type HolderClient } from "./holder-client.ts";
import { countNlmLocks } from "./lock-count.ts";
import { monitoredClients, stateFolder } from "./state-folder.ts";

/** Longer than lockd's own grace, after which there is nothing left to end. */
const WATCH_BOUND_MS = 30_000;
const WATCH_INTERVAL_MS = 50;
const END_BOUND_MS = 2_000;

export interface WatchedGrace {
  readonly node: Node;
  readonly fileserver: FileserverSpec;
  readonly holder: HolderClient;
  readonly insidePid: number;
  /** Locks that have to come back. */
  readonly held: number;
}

/** Resolves with what was done, for the log. */
export async function watchGrace({ node, fileserver, holder, insidePid, held }: WatchedGrace): Promise<string> {
  const bound = { what: "the reclaims", timeoutMs: WATCH_BOUND_MS, intervalMs: WATCH_INTERVAL_MS };
  let last = "";
  const ended = await waitFor(node.clock, bound, async () => {
    const [reclaimed, unnotified] = await Promise.all([
      countObserved(fileserver, insidePid),
      monitoredClients(stateFolder(insidePid, fileserver)),
    ]);
    const ruling = ruleReclaimed({ held, reclaimed, unnotified });
    last = ruling.because;
    return ruling.end ? true : undefined;
  });
  if (ended === undefined) return `lockd's grace was left to its time: ${last}`;
  await runInside(holder, [["write_file", "/proc/fs/lockd/nlm_end_grace", "Y"]], scaled(node, END_BOUND_MS));
  return `lockd's grace ended: ${last}`;
}

async function countObserved(fileserver: FileserverSpec, insidePid: number): Promise<Observed<number>> {
  try {
    return known(await countNlmLocks(fileserver, insidePid));
  } catch (error) {
    return unknown(messageOf(error));
  }
}
