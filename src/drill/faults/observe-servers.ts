/** Looks at nodes and storage while a fault is under way. Cheap: what it costs the nodes, clients pay. */
import { messageOf } from "../../base/fault.ts";
import { waitFor, type Clock } from "../../system/clock.ts";
import { mountPattern, type FileserverTarget } from "../placement.ts";
import type { LabFaults, Machines } from "../ports.ts";
import { parseStorageKeys, serverOf, type ServerSample } from "./servers.ts";

export interface ObserverSettings {
  readonly machines: Machines;
  readonly clock: Clock;
  readonly lab: LabFaults;
  readonly nodes: readonly string[];
  readonly target: FileserverTarget;
  /** Between two samples; shorter only in tests. */
  readonly intervalMs?: number | undefined;
}

export interface Observer {
  readonly samples: readonly ServerSample[];
  /** Polls the samples; undefined past the bound. */
  until(done: (server: string | undefined) => boolean, timeoutMs: number): Promise<ServerSample | undefined>;
  /** Ends with one more sample. */
  stop(): Promise<ServerSample>;
}

const SAMPLE_INTERVAL_MS = 2_000;
/** A node that is frozen answers when it is thawed; nobody waits for that. */
const SAMPLE_TIMEOUT_MS = 5_000;

/** The host's own mounts, and those of the fileserver's scope: in any other namespace nobody can have it. */
const MOUNTED_SCRIPT = `for pid in 1 $(head -n 1 "/sys/fs/cgroup/holdfast.slice/holdfast-$2.scope/cgroup.procs" 2>/dev/null); do
  if grep -q -s -E -- "$1" "/proc/$pid/mountinfo"; then echo yes; exit 0; fi
done
echo no
`;

const KEYS_SCRIPT = `cd /sys/kernel/config/target/core
cat iblock_*/"$1"/pr/res_pr_registered_i_pts iblock_*/"$1"/pr/res_holder
`;

export async function observeServers(settings: ObserverSettings): Promise<Observer> {
  const { clock, target, intervalMs = SAMPLE_INTERVAL_MS } = settings;
  // Whatever the device is called: how a node calls one that it has not activated yet it cannot say, and where this looks
  // no other fileserver has that path.
  const pattern = mountPattern({ ...target, devices: [] });
  const samples: ServerSample[] = [];
  const stop = new AbortController();
  const watch = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      samples.push(await takeSample(settings, pattern));
      await clock.sleep(intervalMs);
    }
  };
  const watching = watch();
  return {
    samples,
    until: async (done, timeoutMs) => {
      const askedMs = clock.monotonicMs();
      const bound = { what: "a server", timeoutMs, intervalMs: intervalMs / 3 };
      return waitFor(clock, bound, async () => {
        const last = samples.at(-1);
        // An older one may show what was before the fault.
        return last !== undefined && last.atMs >= askedMs && done(serverOf(last)) ? last : undefined;
      });
    },
    stop: async () => {
      stop.abort();
      await watching;
      const last = await takeSample(settings, pattern);
      samples.push(last);
      return last;
    },
  };
}

async function takeSample(
  { machines, clock, lab, nodes, target }: ObserverSettings,
  pattern: string,
): Promise<ServerSample> {
  const atMs = clock.monotonicMs();
  const asked = nodes.map(async (node) => {
    const words = ["sh", "-s", "--", pattern, target.name];
    return [node, parseMounted(await answerOf(machines, node, words, MOUNTED_SCRIPT))] as const;
  });
  const mounted = new Map(await Promise.all(asked));
  // After the nodes: whoever was fenced when they were asked is no longer registered now.
  const keys = await answerOf(machines, lab.storage, ["sh", "-s", "--", lab.diskOf(target.name)], KEYS_SCRIPT);
  return {
    atMs,
    mounted,
    ...(keys === undefined ? { registered: undefined, holder: undefined } : parseStorageKeys(keys)),
  };
}

function parseMounted(printed: string | undefined): boolean | undefined {
  const word = printed?.trim();
  return word === "yes" ? true : word === "no" ? false : undefined;
}

/** Undefined where the machine could not be asked. */
async function answerOf(
  machines: Machines,
  machine: string,
  argv: readonly string[],
  input: string,
): Promise<string | undefined> {
  try {
    const { status, stdout } = await machines.exec(machine, argv, { input, timeoutMs: SAMPLE_TIMEOUT_MS });
    return status === 0 ? stdout : undefined;
  } catch (error) {
    return void messageOf(error);
  }
}
