/** What is done inside machines: POSIX shell, $1 the fileserver's name, $2 its first volume, $3 seconds since 1970. */
import type { InsideDeed } from "./fault-words.ts";

interface InsideScript {
  readonly script: string;
  /** Absent: it undoes itself, or the cluster repairs it. */
  readonly undo?: string;
  /** The volume, and what is done to it, is where the fileserver is by then. */
  readonly undoneWhereServed?: boolean;
  readonly timeoutMs: number;
}

const SHORT_MS = 60_000;
const CLOCK_JUMP_S = 3_600;

/** Any process of the fileserver's scope is in its namespaces. */
const INSIDE = `set -eu
scope=/sys/fs/cgroup/holdfast.slice/holdfast-$1.scope/cgroup.procs
pid=$(head -n 1 "$scope")
`;

function kill(name: string): InsideScript {
  const script = `${INSIDE}killed=0
for each in $(cat "$scope"); do
  if [ "$(cat /proc/$each/comm 2>/dev/null)" = ${name} ]; then kill -KILL "$each"; killed=$((killed + 1)); fi
done
[ "$killed" -gt 0 ] || { echo "no ${name} runs" >&2; exit 66; }
`;
  return { script, timeoutMs: SHORT_MS };
}

/** Prints what is missing of a fileserver that serves, a word each. */
export const MISSING_DAEMONS_SCRIPT = `${INSIDE}names=$(for each in $(cat "$scope"); do cat /proc/$each/comm 2>/dev/null; done)
for name in rpcbind rpc.mountd rpc.statd nfsdcld; do echo "$names" | grep -q -x "$name" || echo "$name"; done
[ "$(nsenter -t "$pid" -m -n cat /proc/fs/nfsd/threads)" -gt 0 ] || echo nfsd
`;

/** Back by the time that the drill's own machine has: nobody in a lab may ask a time server. */
const SET_CLOCK = 'date -s "@$3" >/dev/null\n';

function jump(seconds: number): InsideScript {
  return { script: `date -s "@$(($(date +%s) + ${seconds}))" >/dev/null\n`, undo: SET_CLOCK, timeoutMs: SHORT_MS };
}

const FENCE_AGENT = "/usr/sbin/fence_holdfast";

export const INSIDE_SCRIPTS: Readonly<Record<InsideDeed, InsideScript>> = {
  // Its threads are the kernel's and take no signal; this is how rpc.nfsd(8) stops them.
  "stop-nfsd": {
    script: `${INSIDE}exec nsenter -t "$pid" -m -n sh -c 'echo 0 > /proc/fs/nfsd/threads'\n`,
    timeoutMs: SHORT_MS,
  },
  "kill-agent": { script: "systemctl kill --signal=KILL holdfast-agent\n", timeoutMs: SHORT_MS },
  "kill-mountd": kill("rpc.mountd"),
  "kill-statd": kill("rpc.statd"),
  "fill-volume": {
    // fallocate(1) fails whole where a piece does not fit; ever smaller pieces leave nothing free.
    script: `${INSIDE}cd "/proc/$pid/root/run/holdfast/volumes/$2/export"
at=0
for piece in 1G 256M 64M 16M 4M 1M 64K 4K; do
  while [ "$at" -lt 4000 ] && fallocate -l "$piece" ".drill-filler.$at" 2>/dev/null; do at=$((at + 1)); done
  rm -f ".drill-filler.$at"
done
sync -f .
`,
    undo: `${INSIDE}rm -f "/proc/$pid/root/run/holdfast/volumes/$2/export"/.drill-filler.*\n`,
    undoneWhereServed: true,
    timeoutMs: 300_000,
  },
  "clock-forward": jump(CLOCK_JUMP_S),
  "clock-back": jump(-CLOCK_JUMP_S),
  // tail(1) keeps the last line in memory, and this line never ends. It is the first that the kernel kills.
  "press-memory": {
    script: `for round in 1 2 3; do
  systemd-run --quiet --wait --collect -p OOMScoreAdjust=1000 -p RuntimeMaxSec=60 tail /dev/zero || true
done
`,
    timeoutMs: 300_000,
  },
  "break-fencing": {
    // What asks about it goes on working: only fencing itself fails, as with a device that does not obey.
    script: `set -eu
agent=${FENCE_AGENT}
[ -x "$agent" ] || { echo "$agent is missing" >&2; exit 66; }
umount "$agent" 2>/dev/null || true
install -d /run/holdfast-drill
cp -p "$agent" /run/holdfast-drill/real
cat > /run/holdfast-drill/broken <<'END'
#!/bin/sh
input=$([ -t 0 ] || [ "$#" -gt 0 ] || cat)
case " $* $input" in
*action=off*|*action=reboot*) echo "made to fail by a drill" >&2; exit 1 ;;
esac
if [ "$#" -gt 0 ]; then exec /run/holdfast-drill/real "$@"; fi
printf '%s\\n' "$input" | exec /run/holdfast-drill/real
END
chmod 0755 /run/holdfast-drill/broken
mount --bind /run/holdfast-drill/broken "$agent"
`,
    undo: `umount ${FENCE_AGENT}; rm -rf /run/holdfast-drill\n`,
    timeoutMs: SHORT_MS,
  },
};
