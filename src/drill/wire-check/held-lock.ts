/** An NFSv3 lock that a client holds through a move, so that there is somebody whom the fileserver has to notify. */
import { Fault } from "../../base/fault.ts";
import { runScript } from "../client.ts";
import type { Machines } from "../ports.ts";

export interface HeldLock {
  release(): Promise<void>;
}

const TAKE_TIMEOUT_MS = 60_000;
const RELEASE_TIMEOUT_MS = 60_000;
/** Longer than any drill: should nobody release it, it ends by itself. */
const HOLD_S = 7200;

/**
 * flock(1) is enough: on NFS the kernel turns it into a lock of the whole file that the server knows (flock(2)). That it
 * is held is said by what flock starts then. No second process tries the lock: should that one get it first, the holder
 * would wait for up to 30 s, because kernel 6.12 answers "blocked" to the loser and never calls back (NLM GRANTED).
 */
const TAKE = `set -eu
marker=$(mktemp)
trap 'rm -f "$marker"' EXIT
setsid flock -x "$1" sh -c 'echo held > "$1"; exec sleep "$2"' sh "$marker" "$2" </dev/null >/dev/null 2>&1 &
holder=$!
tries=0
while [ "$tries" -lt 100 ] && kill -0 "$holder" 2>/dev/null; do
  if [ -s "$marker" ]; then echo "$holder"; exit 0; fi
  tries=$((tries + 1)); sleep 0.3
done
echo "the lock on $1 was not taken" >&2
kill -TERM "-$holder" 2>/dev/null || true
exit 66
`;

/** Without "--": dash's own kill takes it for a number, and ends nothing. */
const RELEASE = `kill -TERM "-$1" 2>/dev/null || true
rm -f -- "$2"
`;

/** @param file on the client, below an NFSv3 mount; made when missing, and removed with the lock. */
export async function holdLock(machines: Machines, client: string, file: string): Promise<HeldLock> {
  const holder = (await runScript(machines, client, TAKE, [file, String(HOLD_S)], TAKE_TIMEOUT_MS)).trim();
  if (!/^\d+$/.test(holder))
    throw new Fault({ code: "lock-not-held", what: `taking a lock on ${client} printed ${holder}` });
  return {
    release: async () => void (await runScript(machines, client, RELEASE, [holder, file], RELEASE_TIMEOUT_MS)),
  };
}
