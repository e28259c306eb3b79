/**
 * What a node really has of a fileserver, whatever its agent believes: read from /proc, /sys, the cgroups and the LUNs.
 * One script per node, one fact per line, so that a drill can say what is left where nothing should be.
 */
import { Fault } from "../base/fault.ts";
import { mapperName } from "../lvm/volume-group.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { runScript } from "./client.ts";

import type { Machines } from "./ports.ts";

export interface NodeFacts {
  readonly node: string;
  /** What the agent says of this fileserver; undefined while it does not answer. */
  readonly state: string | undefined;
  /** Threads of nfsd in all namespaces of the node, and as many as the agent accounts for. */
  readonly nfsdThreads: number;
  readonly nfsdThreadsTold: number | undefined;
  /** Names of the processes in the fileserver's scope. */
  readonly processes: readonly string[];
  /** NFS daemons outside every fileserver's scope, and processes of scopes that nobody looks after. */
  readonly strays: readonly string[];
  /** Distinct network namespaces of the fileserver's processes. */
  readonly namespaces: number;
  /** One per network namespace in which one of the addresses is configured. */
  readonly addressLinks: readonly { readonly address: string; readonly up: boolean }[];
  /** One per distinct mount namespace and volume that is mounted in it, wherever. */
  readonly mounts: readonly string[];
  /** Volumes whose logical volume is active. */
  readonly active: readonly string[];
  /** By disk. */
  readonly reservations: readonly Reservation[];
  /** What requests to a holder left behind. */
  readonly leftFiles: readonly string[];
  /** The crash that was asked for has not come. */
  readonly crashPending: boolean;
}

export interface Reservation {
  readonly disk: string;
  readonly keys: readonly string[];
  readonly holder: string | undefined;
}

const LOOK_TIMEOUT_MS = 180_000;

/**
 * $1 fileserver, $2 addresses (space-separated), then per volume "lv NAME VG MAPPER" or "disk NAME PATH" in one word
 * each. Namespaces are named by their inode; proc_pid_mountinfo(5) gives the device in its third field.
 */
const SCRIPT = `set -u
name=$1 addresses=$2; shift 2
slice=/sys/fs/cgroup/holdfast.slice
{ printf 'GET /v1/status HTTP/1.0\\r\\nHost: agent\\r\\n\\r\\n'; sleep 1.5; } |
  socat -t 5 - UNIX-CONNECT:/run/holdfast/agent.sock 2>/dev/null | tail -n 1 | sed 's/^/status /'
echo
echo "nfsd $(pgrep -c -x nfsd)"
[ ! -e /run/holdfast/crash-at ] || echo "crash-pending"
for file in /run/holdfast/fs/"$name"/request.* /run/holdfast/fs/"$name"/output.* /run/holdfast/fs/"$name"/errors.* /run/holdfast/fs/_host/request.* /run/holdfast/fs/_host/output.* /run/holdfast/fs/_host/errors.*; do
  [ ! -e "$file" ] || echo "left $file"
done
for pid in $(cat "$slice/holdfast-$name.scope/cgroup.procs" 2>/dev/null); do
  comm=$(cat /proc/$pid/comm 2>/dev/null) namespace=$(readlink /proc/$pid/ns/net)
  # It may have ended meanwhile.
  [ -z "$comm" ] || [ -z "$namespace" ] || echo "process $comm $namespace"
done
for scope in "$slice"/holdfast-"$name"-again-*.scope; do
  [ ! -s "$scope/cgroup.procs" ] || echo "stray $scope"
done
for pid in $(pgrep -x 'rpcbind|rpc.statd|rpc.mountd|nfsdcld|sm-notify'); do
  comm=$(cat /proc/$pid/comm 2>/dev/null)
  [ -z "$comm" ] || grep -q '/holdfast.slice/holdfast-' /proc/$pid/cgroup 2>/dev/null || echo "stray $comm"
done
find /proc/[0-9]*/ns/net -maxdepth 0 -printf '%l %p\\n' 2>/dev/null | sort -u -k1,1 |
while read -r namespace path; do
  nsenter --net="$path" ip -br address 2>/dev/null | while read -r link state rest; do
    for address in $addresses; do
      case " $rest " in *" $address/"*) echo "address $address $state $namespace";; esac
    done
  done
done
for volume in "$@"; do
  set -- $volume
  if [ "$1" = lv ]; then
    device=; for dm in /sys/class/block/dm-*; do
      [ "$(cat "$dm/dm/name" 2>/dev/null)" != "$4" ] || device=$(cat "$dm/dev")
    done
    [ -z "$device" ] || echo "active $2"
    disks=$(pvs --foreign --nohints --noheadings -o pv_name --select "vg_name=$3" 2>/dev/null)
  else
    disks=$(readlink -f "$3"); device=$(cat "/sys/class/block/\${disks#/dev/}/dev")
  fi
  if [ -n "$device" ]; then
    grep -l -s " $device " /proc/[0-9]*/mountinfo | sed 's/mountinfo$/ns\\/mnt/' |
      xargs -r readlink | sort -u | while read -r namespace; do echo "mount $2 $namespace"; done
  fi
  for disk in $disks; do
    echo "disk $disk"
    sg_persist --no-inquiry --in --read-keys "$disk" | sed -n 's/^ *\\(0x[0-9a-f]*\\) *$/key \\1/p'
    sg_persist --no-inquiry --in --read-reservation "$disk" | sed -n 's/.*Key *= *\\(0x[0-9a-f]*\\).*/holder \\1/p'
  done
done
`;

/** Looks at one node. Rejects where the node cannot be looked at. */
export async function readNodeFacts(machines: Machines, node: string, fileserver: FileserverSpec): Promise<NodeFacts> {
  const volumes = fileserver.volumes.map(({ name, device }) =>
    device.kind === "lv"
      ? `lv ${name} ${device.vg} ${mapperName(device.vg, device.lv)}`
      : `disk ${name} ${device.path}`,
  );
  const addresses = fileserver.addresses.map(({ address }) => address).join(" ");
  const words = [fileserver.name, addresses, ...volumes];
  return parseNodeFacts(node, fileserver.name, await runScript(machines, node, SCRIPT, words, LOOK_TIMEOUT_MS));
}

/** Reads what SCRIPT prints; any line that it does not know is a fault, because a fact must not be passed over. */
export function parseNodeFacts(node: string, fileserver: string, printed: string): NodeFacts {
  const lines = printed
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const unknown = lines.find((line) => !KNOWN_LINE.test(line));
  if (unknown !== undefined)
    throw new Fault({ code: "node-facts-unreadable", what: `${node} printed ${JSON.stringify(unknown)}` });
  const all = (kind: string): readonly (readonly string[])[] =>
    lines.filter((line) => line.startsWith(`${kind} `)).map((line) => line.split(/\s+/).slice(1));
  const first = (kind: string): readonly string[] => all(kind).map(([word = ""]) => word);
  const status = statusOf(lines.find((line) => line.startsWith("status "))?.slice("status ".length), fileserver);
  return {
    node,
    ...status,
    nfsdThreads: Number(first("nfsd")[0]),
    processes: first("process").toSorted(),
    strays: first("stray"),
    namespaces: new Set(all("process").map(([, namespace]) => namespace)).size,
    addressLinks: all("address").map(([address = "", state]) => ({ address, up: state !== "DOWN" })),
    mounts: first("mount"),
    active: first("active"),
    reservations: reservationsOf(lines),
    leftFiles: first("left"),
    crashPending: lines.includes("crash-pending"),
  };
}

const KNOWN_LINE = /^(status|nfsd|left|process|stray|address|active|mount|disk|key|holder) .|^crash-pending$|^status$/;

interface ToldStatus {
  readonly fileservers: readonly { readonly name: string; readonly state: string; readonly nfsdThreads: number }[];
}

function statusOf(text: string | undefined, fileserver: string): Pick<NodeFacts, "state" | "nfsdThreadsTold"> {
  if (text === undefined || !text.startsWith("{")) return { state: undefined, nfsdThreadsTold: undefined };
  const told = JSON.parse(text) as ToldStatus;
  return {
    state: told.fileservers.find(({ name }) => name === fileserver)?.state,
    nfsdThreadsTold: told.fileservers.reduce((sum, { nfsdThreads }) => sum + nfsdThreads, 0),
  };
}

function reservationsOf(lines: readonly string[]): readonly Reservation[] {
  const found: { disk: string; keys: string[]; holder: string | undefined }[] = [];
  for (const line of lines) {
    const [kind, word = ""] = line.split(" ");
    if (kind === "disk") found.push({ disk: word, keys: [], holder: undefined });
    const last = found.at(-1);
    if (last === undefined) continue;
    if (kind === "key") last.keys.push(word);
    if (kind === "holder") last.holder = word;
  }
  return found;
}
