/**
 * Throughput through the fileserver against a plain kernel NFS server on the same machine and the same volume.
 *
 * Both serve at once: the plain one in the node's own namespaces, with the volume's device mounted a second time (one
 * kernel, one superblock), so that jobs alternate between the two within seconds and a slow minute of the host falls on
 * both. Nothing is moved or stopped for it.
 */
import { Fault } from "../base/fault.ts";
import { run, runScript, unmountExport } from "./client.ts";
import { median } from "./pause.ts";
import { mountPatternOn, type FileserverTarget } from "./placement.ts";
import type { Machines, Progress } from "./ports.ts";
import { DRILL_FOLDER, prepareTree } from "./tree.ts";

export interface ThroughputSettings {
  readonly client: string;
  readonly node: string;
  /** The node's own address on the clients' network. */
  readonly nodeAddress: string;
  readonly target: FileserverTarget;
  /** As many as the fileserver has. */
  readonly threads: number;
  readonly rounds: number;
}

export interface Job {
  readonly name: string;
  readonly unit: "MB/s" | "operations/s";
  /** POSIX shell; gets the folder as $1, prints one number: how much of the unit. */
  readonly script: string;
}

export interface JobResult {
  readonly job: string;
  readonly unit: Job["unit"];
  /** Medians over the rounds. */
  readonly fileserver: number;
  readonly plain: number;
  /** Median of the rounds' own ratios, fileserver to plain: above 1 the fileserver was faster. */
  readonly ratio: number;
  readonly ratios: readonly number[];
}

export interface ThroughputDocument {
  readonly scenario: "throughput";
  readonly node: string;
  readonly rounds: number;
  readonly jobs: readonly JobResult[];
  /** Geometric mean of the jobs' ratios. */
  readonly ratio: number;
}

/** For a person who asked for too little: fewer rounds cannot tell noise from difference. */
export const ROUNDS_MIN = 3;
const JOB_TIMEOUT_MS = 300_000;
const SERVER_TIMEOUT_MS = 120_000;
const FILE_MB = 48;
const STORM_FILES = 300;
const RANDOM_RUNTIME_S = 8;

/** fio(1) in its terse form 3: field 7 is read bandwidth in KiB/s, 8 read IOPS, 48 and 49 the same of writes. */
function fio(field: number, divisor: number, options: string): string {
  return `fio --minimal --terse-version=3 --name=job --directory="$1" --ioengine=psync --size=${FILE_MB}m --filename=fio.dat ${options} |
  awk -F';' '{ printf "%.3f\\n", $${field} / ${divisor} }'
`;
}

const KIB_PER_MB = 1000 / 1.024;

/** Shell built-ins only: a fork per file would measure the client's fork under emulation. */
function storm(prepare: string, each: string, finish: string): string {
  return `set -eu
cd "$1"
${prepare}
start=$(date +%s%N); i=0
while [ "$i" -lt ${STORM_FILES} ]; do ${each}; i=$((i + 1)); done
${finish}
end=$(date +%s%N)
echo "$((${STORM_FILES} * 1000000000000 / (end - start)))" | sed 's/...$/.&/'
`;
}

const DROP_CACHES = "sync; echo 3 > /proc/sys/vm/drop_caches";

export const JOBS: readonly Job[] = [
  { name: "sequential write", unit: "MB/s", script: fio(48, KIB_PER_MB, "--rw=write --bs=1m --end_fsync=1") },
  { name: "sequential read", unit: "MB/s", script: `${DROP_CACHES}\n${fio(7, KIB_PER_MB, "--rw=read --bs=1m")}` },
  {
    name: "random read 4 KiB",
    unit: "operations/s",
    script: fio(8, 1, `--rw=randread --bs=4k --direct=1 --time_based --runtime=${RANDOM_RUNTIME_S}`),
  },
  {
    name: "random write 4 KiB",
    unit: "operations/s",
    script: fio(49, 1, `--rw=randwrite --bs=4k --direct=1 --time_based --runtime=${RANDOM_RUNTIME_S}`),
  },
  { name: "create", unit: "operations/s", script: storm("rm -f storm.*", ": > storm.$i", ":") },
  { name: "stat", unit: "operations/s", script: storm(DROP_CACHES, "[ -f storm.$i ]", ":") },
  { name: "unlink", unit: "operations/s", script: storm(":", ":", "rm -f storm.*") },
];

/**
 * Starts the plain server on the node and prints the path that it exports: NFSv4 only, by address, with its own nfsdcld
 * (without one nfsd would keep every client waiting for a whole grace period). The process ids are kept beside.
 */
const PLAIN_START = `set -eu
export_path=$1 threads=$2 base=/run/holdfast-plain
pid=$(grep -l -s -E -- "$3" /proc/[0-9]*/mountinfo | head -n 1 | cut -d/ -f3)
[ -n "$pid" ] || { echo "no process on this machine has $export_path mounted" >&2; exit 66; }
device=$(nsenter -t "$pid" -m findmnt -n -v -o SOURCE --target "$export_path")
root=$(nsenter -t "$pid" -m findmnt -n -o FSROOT --target "$export_path")
mkdir -p "$base/volume" "$base/pipefs" "$base/nfsdcld"
mountpoint -q "$base/volume" || mount "$device" "$base/volume"
mountpoint -q "$base/pipefs" || mount -t rpc_pipefs rpc_pipefs "$base/pipefs"
mountpoint -q /proc/fs/nfsd || mount -t nfsd nfsd /proc/fs/nfsd
setsid nfsdcld -F -p "$base/pipefs" -s "$base/nfsdcld" </dev/null >"$base/nfsdcld.log" 2>&1 &
echo $! > "$base/pids"
exportfs -o rw,no_subtree_check,fsid=7077 "*:$base/volume$root"
setsid rpc.mountd -F -N 3 </dev/null >"$base/mountd.log" 2>&1 &
echo $! >> "$base/pids"
rpc.nfsd -N 3 "$threads"
echo "$base/volume$root"
`;

const PLAIN_STOP = `base=/run/holdfast-plain
rpc.nfsd 0
exportfs -u -a
[ ! -f "$base/pids" ] || while read -r pid; do kill "$pid"; done < "$base/pids"
umount "$base/volume" && umount "$base/pipefs"
rm -rf "$base/nfsdcld" "$base"/*.log "$base/pids"
`;

const MOUNT = `set -eu
mkdir -p "$2"
! mountpoint -q "$2" || umount "$2"
mount -t nfs -o vers=4.2,hard,noatime "$1" "$2"
mkdir -p "$2/$3"
`;

const FILESERVER_MOUNT = "/mnt/holdfast/throughput-fileserver";
const PLAIN_MOUNT = "/mnt/holdfast/throughput-plain";

export async function measureThroughput(
  machines: Machines,
  settings: ThroughputSettings,
  progress: Progress,
): Promise<ThroughputDocument> {
  const { client, node, target, nodeAddress, threads, rounds } = settings;
  await prepareTree(machines, { node, target, files: 0 });
  progress(`${node}: starting a plain NFS server beside the fileserver`);
  try {
    const plainPath = (
      await runScript(
        machines,
        node,
        PLAIN_START,
        [target.exportPath, String(threads), await mountPatternOn(machines, node, target)],
        SERVER_TIMEOUT_MS,
      )
    ).trim();
    const mount = (source: string, directory: string, name: string): Promise<string> =>
      runScript(machines, client, MOUNT, [source, directory, `${DRILL_FOLDER}/${name}`], SERVER_TIMEOUT_MS);
    await mount(`${target.host}:${target.exportPath}`, FILESERVER_MOUNT, "throughput-fileserver");
    await mount(`${nodeAddress}:${plainPath}`, PLAIN_MOUNT, "throughput-plain");
    const found = JOBS.map((job) => ({ job, pairs: [] as Pair[] }));
    for (let round = 0; round < rounds; round += 1) {
      for (const { job, pairs } of found) {
        const pair = await measurePair(machines, client, job, round % 2 === 0);
        pairs.push(pair);
        progress(`round ${round + 1} of ${rounds}: ${job.name}: ${pair.fileserver} against ${pair.plain} ${job.unit}`);
      }
    }
    const jobs = found.map(({ job, pairs }) => jobResult(job, pairs));
    return { scenario: "throughput", node, rounds, jobs, ratio: overallRatio(jobs) };
  } finally {
    for (const directory of [FILESERVER_MOUNT, PLAIN_MOUNT]) {
      await unmountExport(machines, client, directory).catch(() => undefined);
    }
    await machines.exec(node, ["sh", "-s"], { input: PLAIN_STOP, timeoutMs: SERVER_TIMEOUT_MS });
  }
}

export interface Pair {
  readonly fileserver: number;
  readonly plain: number;
}

/** The order alternates between rounds, so that being second is no advantage to either. */
async function measurePair(machines: Machines, client: string, job: Job, fileserverFirst: boolean): Promise<Pair> {
  const measure = async (directory: string, name: string): Promise<number> => {
    const folder = `${directory}/${DRILL_FOLDER}/${name}`;
    return readAmount(job, await run(machines, client, ["sh", "-s", "--", folder], jobOptions(job)));
  };
  const onFileserver = (): Promise<number> => measure(FILESERVER_MOUNT, "throughput-fileserver");
  const onPlain = (): Promise<number> => measure(PLAIN_MOUNT, "throughput-plain");
  if (fileserverFirst) {
    const fileserver = await onFileserver();
    return { fileserver, plain: await onPlain() };
  }
  const plain = await onPlain();
  return { fileserver: await onFileserver(), plain };
}

function jobOptions(job: Job): { readonly input: string; readonly timeoutMs: number } {
  return { input: job.script, timeoutMs: JOB_TIMEOUT_MS };
}

function readAmount(job: Job, printed: string): number {
  const amount = Number(printed.trim().split("\n").at(-1));
  if (Number.isFinite(amount) && amount > 0) return amount;
  throw new Fault({ code: "job-unreadable", what: `${job.name} printed ${JSON.stringify(printed.slice(0, 200))}` });
}

export function jobResult(job: Pick<Job, "name" | "unit">, pairs: readonly Pair[]): JobResult {
  const ratios = pairs.map((pair) => rounded(pair.fileserver / pair.plain));
  return {
    job: job.name,
    unit: job.unit,
    fileserver: median(pairs.map((pair) => pair.fileserver)) ?? 0,
    plain: median(pairs.map((pair) => pair.plain)) ?? 0,
    ratio: median(ratios) ?? 0,
    ratios,
  };
}

export function overallRatio(jobs: readonly JobResult[]): number {
  if (jobs.length === 0) return 0;
  const sum = jobs.reduce((total, job) => total + Math.log(job.ratio), 0);
  return rounded(Math.exp(sum / jobs.length));
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
