/** The crowd's program on a client machine: a network namespace of its own with all addresses, started, asked and ended from here. */
import { Fault } from "../../base/fault.ts";
import { waitFor, type Clock } from "../../system/clock.ts";
import { run, runScript } from "../client.ts";
import type { Machines, Progress } from "../ports.ts";
import type { ProbeProgram } from "../session.ts";
import { LOOK_FILE, LOOK_WORD, STATUS_FILE, type CrowdConfig, type CrowdLook, type CrowdStatus } from "./config.ts";

export interface CrowdSettings {
  readonly machines: Machines;
  readonly clock: Clock;
  readonly progress: Progress;
  readonly client: string;
  readonly program: ProbeProgram;
  /** On the client's own disk, for this crowd alone. */
  readonly folder: string;
  /** All but where the program runs and who its clients are. */
  readonly config: Omit<CrowdConfig, "folder" | "addresses">;
  readonly clients: number;
}

export interface CrowdSession {
  status(): Promise<CrowdStatus>;
  /** Polls until `done` or the bound; resolves with the last status. */
  until(done: (status: CrowdStatus) => boolean, timeoutMs: number): Promise<CrowdStatus>;
  look(): Promise<CrowdLook>;
  /** Gives all locks back and takes the namespace away, whatever became of the program. */
  stop(): Promise<void>;
}

const NAMESPACE = "hf-crowd";
const LINK = "hf-crowd0";
const COMMAND_TIMEOUT_MS = 60_000;
/** A hundred mounts and locks, each with an entry made durable by statd. */
const START_TIMEOUT_MS = 300_000;
const LOOK_TIMEOUT_MS = 180_000;
const STOP_TIMEOUT_MS = 90_000;
const POLL_INTERVAL_MS = 1_500;

/** Prints the client's own address on the way to $1, with its prefix length, and the link. */
const OWN_ADDRESS_SCRIPT = `set -eu
route=$(ip -o -4 route get "$1")
link=$(echo "$route" | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p')
own=$(echo "$route" | sed -n 's/.* src \\([^ ]*\\).*/\\1/p')
ip -o -4 address show dev "$link" | grep -o " $own/[0-9]*" | head -n 1
echo "$link"
`;

/**
 * $1 namespace, $2 name of its link, $3 the link of the client that it hangs on, $4 folder, $5 node; the addresses come
 * as further words. A namespace of its own, because port 111 of the client belongs to its own rpcbind, at every address.
 */
const START_SCRIPT = `set -eu
namespace=$1 link=$2 parent=$3 folder=$4 node=$5; shift 5
ip netns delete "$namespace" 2>/dev/null || true
ip netns add "$namespace"
ip link add link "$parent" name "$link" type macvlan mode bridge
ip link set "$link" netns "$namespace"
{ echo "link set lo up"; for address in "$@"; do echo "address add $address dev $link"; done; echo "link set $link up"; } |
  ip -n "$namespace" -batch -
cd "$folder"
setsid ip netns exec "$namespace" "$node" --no-warnings crowd.mjs config.json </dev/null >crowd.out 2>&1 &
echo $! > pid
echo $!
`;

/** $1 folder, $2 pid; the state in proc_pid_stat(5) follows the name in brackets. */
const STATUS_SCRIPT = `cd "$1"
stat=; [ ! -r "/proc/$2/stat" ] || read -r stat < "/proc/$2/stat"
case "\${stat##*) }" in
""|[ZX]*) echo "the crowd has ended: $(tail -c 800 crowd.out | tr '\\n' ' ')" >&2; exit 66 ;;
esac
cat ${STATUS_FILE} 2>/dev/null || echo '{"nowUs":0,"members":[]}'
`;

/** $1 namespace, $2 folder. What an earlier crowd left is ended too: it holds addresses and locks. */
const STOP_SCRIPT = `pids=$(ip netns pids "$1" 2>/dev/null)
[ -z "$pids" ] || kill -TERM $pids 2>/dev/null
tries=0
while [ "$tries" -lt 120 ] && [ -n "$(ip netns pids "$1" 2>/dev/null)" ]; do tries=$((tries + 1)); sleep 0.5; done
pids=$(ip netns pids "$1" 2>/dev/null)
[ -z "$pids" ] || kill -KILL $pids 2>/dev/null
ip netns delete "$1" 2>/dev/null
[ -z "$2" ] || rm -rf -- "$2"
true
`;

export async function startCrowd(settings: CrowdSettings): Promise<CrowdSession> {
  const { machines, client, program, folder, config, progress } = settings;
  await runScript(machines, client, STOP_SCRIPT, [NAMESPACE, ""], STOP_TIMEOUT_MS);
  const printed = await runScript(machines, client, OWN_ADDRESS_SCRIPT, [config.host], COMMAND_TIMEOUT_MS);
  const [own = "", parent = ""] = printed.trim().split(/\s+/);
  const addresses = crowdAddresses(own, settings.clients);
  await machines.copyTo(client, program.localPath, `${folder}/crowd.mjs`);
  const bare = addresses.map((address) => address.split("/")[0] ?? "");
  const input = JSON.stringify({ ...config, folder, addresses: bare } satisfies CrowdConfig);
  const writing = ["sh", "-c", 'cat > "$1/config.json"', "sh", folder];
  await run(machines, client, writing, { input, timeoutMs: COMMAND_TIMEOUT_MS });
  const words = [NAMESPACE, LINK, parent, folder, program.remoteNode, ...addresses];
  const session = followCrowd(settings, async () => {
    const pid = (await runScript(machines, client, START_SCRIPT, words, COMMAND_TIMEOUT_MS)).trim();
    if (!/^\d+$/.test(pid)) throw new Fault({ code: "crowd-not-started", what: `the crowd's start printed ${pid}` });
    return pid;
  });
  try {
    const started = await session.until(
      ({ members }) => members.length > 0 && members.every(({ phase }) => phase === "holding"),
      START_TIMEOUT_MS,
    );
    const holding = started.members.filter(({ phase }) => phase === "holding").length;
    if (holding === addresses.length) return session;
    const trouble = started.members.find((member) => member.trouble !== "")?.trouble ?? "no word from it";
    throw new Fault({
      code: "crowd-not-started",
      what: `only ${holding} of ${addresses.length} clients of the crowd hold a lock: ${trouble}`,
    });
  } catch (error) {
    await session.stop().catch(() => progress(`${client}: the crowd could not be taken away`));
    throw error;
  }
}

function followCrowd(settings: CrowdSettings, start: () => Promise<string>): CrowdSession {
  const { machines, clock, client, folder } = settings;
  const started = start();
  const status = async (): Promise<CrowdStatus> => {
    const words = [folder, await started];
    return JSON.parse(await runScript(machines, client, STATUS_SCRIPT, words, COMMAND_TIMEOUT_MS)) as CrowdStatus;
  };
  return {
    status,
    until: async (done, timeoutMs) => {
      const bound = { what: "the crowd", timeoutMs, intervalMs: POLL_INTERVAL_MS };
      let last: CrowdStatus = { nowUs: 0, members: [] };
      await waitFor(clock, bound, async () => {
        last = await status();
        return done(last) ? true : undefined;
      });
      return last;
    },
    look: async () => {
      await run(machines, client, ["touch", `${folder}/${LOOK_WORD}`], { timeoutMs: COMMAND_TIMEOUT_MS });
      const bound = { what: "the crowd's look", timeoutMs: LOOK_TIMEOUT_MS, intervalMs: POLL_INTERVAL_MS };
      const found = await waitFor(clock, bound, async () => {
        const options = { timeoutMs: COMMAND_TIMEOUT_MS };
        const { status: exit, stdout } = await machines.exec(client, ["cat", `${folder}/${LOOK_FILE}`], options);
        return exit === 0 ? (JSON.parse(stdout) as CrowdLook) : undefined;
      });
      if (found !== undefined) return found;
      throw new Fault({ code: "crowd-look-missing", what: "the crowd did not say which locks are held" });
    },
    stop: async () => {
      await started.catch(() => undefined);
      await runScript(machines, client, STOP_SCRIPT, [NAMESPACE, folder], STOP_TIMEOUT_MS);
    },
  };
}

const FIRST_HOST = 101;

/** The same network as `own` ("10.77.0.21/24"), from .101 on. Only where the last byte is all theirs to choose. */
export function crowdAddresses(own: string, clients: number): readonly string[] {
  const match = /^(\d+\.\d+\.\d+)\.\d+\/(\d+)$/.exec(own);
  const [, network, prefixLength] = match ?? [];
  if (network === undefined || Number(prefixLength) > 24 || FIRST_HOST + clients > 255) {
    throw new Fault({
      kind: "invalid",
      code: "crowd-no-room",
      what: `there is no room for ${clients} addresses beside ${own}`,
    });
  }
  return Array.from({ length: clients }, (_, at) => `${network}.${FIRST_HOST + at}/${prefixLength}`);
}
