/**
 * Wakes the lock manager where the kernel forgot to.
 *
 * lockd is one thread for all fileservers of a node. When one of them stops, the kernel takes everything that waits for
 * that thread off its queue, throws away what is the stopped one's, and puts the rest back without waking anybody
 * (svc_clean_up_xprts, net/sunrpc/svc_xprt.c, since Linux 6.7). If the thread has looked meanwhile, found nothing and
 * gone to sleep, it sleeps on: in the lab the v3 lock requests of a second fileserver waited for twelve minutes, until
 * somebody connected. Whatever comes anew wakes it, and then it serves everything that waits.
 */
import { readFileSync } from "node:fs";
import { parseReceiveQueues } from "../linux/proc-net-tcp.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { NLM_PROGRAM, NLM_VERSION } from "../nfs/rpc.ts";
import { callNull } from "./call-null.ts";
import type { Node } from "./context.ts";
import type { HolderClient } from "./holder-client.ts";
import { isAbsent } from "./inside.ts";

export interface LockdWaker {
  /** Another fileserver's lock manager has just stopped: looks several times, one soon after the other. Never rejects. */
  lookClosely(): Promise<void>;
  stop(): void;
}

export interface WakerParts {
  readonly node: Pick<Node, "clock" | "log" | "timeScale">;
  readonly fileserver: FileserverSpec;
  readonly holder: HolderClient;
  readonly insidePid: number;
}

/** A lockd that works reads what comes within moments, unless it waits for statd and its disk: then it is woken in vain. */
const LOOK_INTERVAL_MS = 1_000;
const CLOSE_LOOKS = 3;
const CLOSE_INTERVAL_MS = 30;
const CALL_BOUND_MS = 2_000;
/** Nobody is the better for being woken all the time. */
const WAKE_AGAIN_MS = 5_000;

/** Looks until it is stopped. */
export function openLockdWaker(
  { node, fileserver, holder, insidePid }: WakerParts,
  waiting: () => number = () => waitingForLockd(fileserver, insidePid),
): LockdWaker {
  const { clock, log, timeScale } = node;
  let last = 0;
  let waking: Promise<void> | undefined;
  let wokenAtMs = Number.NEGATIVE_INFINITY;
  let stopped = false;

  async function wake(bytes: number): Promise<void> {
    wokenAtMs = clock.monotonicMs();
    const lockd = { what: "its lock manager", port: fileserver.nfs.ports.lockd, program: NLM_PROGRAM };
    const problem = await callNull(holder, fileserver, { ...lockd, version: NLM_VERSION }, CALL_BOUND_MS * timeScale);
    log(`${fileserver.name}: lockd did not read ${bytes} bytes of requests; woken${problem ? `: ${problem}` : ""}`);
  }

  /** So many bytes, where nothing was read since the look before. */
  function lookAgain(): number | undefined {
    const now = waiting();
    const stuck = last > 0 && now >= last;
    last = now;
    return stuck ? now : undefined;
  }

  async function wakeIfDue(bytes: number): Promise<void> {
    if (stopped) return;
    if (waking === undefined && clock.monotonicMs() - wokenAtMs < WAKE_AGAIN_MS) return;
    waking ??= wake(bytes).finally(() => {
      waking = undefined;
    });
    await waking;
  }

  async function loop(): Promise<void> {
    for (;;) {
      const bytes = lookAgain();
      if (bytes !== undefined) await wakeIfDue(bytes);
      await clock.sleep(LOOK_INTERVAL_MS);
      if (stopped) return;
    }
  }

  if (fileserver.protocols.includes("v3")) void loop();
  return {
    async lookClosely() {
      let stuck: number | undefined;
      for (let look = 0; look < CLOSE_LOOKS; look++) {
        if (look > 0) await clock.sleep(CLOSE_INTERVAL_MS);
        stuck = lookAgain();
        if (look > 0 && stuck === undefined) return;
      }
      if (stuck !== undefined) await wakeIfDue(stuck);
    },

    stop() {
      stopped = true;
    },
  };
}

/** Bytes of requests to the lock manager that it has not read yet. */
export function waitingForLockd({ nfs }: FileserverSpec, insidePid: number): number {
  return ["tcp", "tcp6"]
    .flatMap((name) => parseReceiveQueues(readNow(`/proc/${insidePid}/net/${name}`), [nfs.ports.lockd]))
    .reduce((sum, bytes) => sum + bytes, 0);
}

/** Empty where the namespaces have gone. The kernel has it in memory: the detour through libuv's threads costs more. */
function readNow(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isAbsent(error)) return "";
    throw error;
  }
}
