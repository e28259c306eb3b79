/**
 * One run of the probe program on a client, followed from here: its logs are fetched as they grow, so that waiting for
 * the probes and measuring them use the same samples.
 */
import { Fault } from "../base/fault.ts";
import { waitFor, type Clock } from "../system/clock.ts";
import { run, runScript } from "./client.ts";
import type { WritesVerdict } from "./oracles.ts";
import type { Machines } from "./ports.ts";
import type { LoopConfig } from "./probe/config.ts";
import { emptyLog, readLines, type ProbeLog } from "./samples.ts";

export interface ProbeProgram {
  /** The bundled probe program on this machine. */
  readonly localPath: string;
  /** Node 26 on the client. */
  readonly remoteNode: string;
}

export interface SessionSettings {
  readonly machines: Machines;
  readonly clock: Clock;
  readonly client: string;
  readonly program: ProbeProgram;
  /** On the client's own disk, for this session alone. */
  readonly folder: string;
  readonly loops: readonly LoopConfig[];
  readonly pollIntervalMs: number;
}

export interface Session {
  /** By loop name; grow with every `poll`. */
  readonly logs: ReadonlyMap<string, ProbeLog>;
  /** Fetches what is new. Resolves with the client's monotonic time, microseconds. Rejects when the program has ended. */
  poll(): Promise<number>;
  /** Polls until `done` holds; false when the bound was reached first. */
  pollUntil(what: string, timeoutMs: number, done: (nowUs: number) => boolean): Promise<boolean>;
  /** Ends the loops in good order and fetches the last lines. Resolves also when the program had to be killed; its logs then lack the end. */
  stop(): Promise<void>;
  /** Reads the acknowledged records of a write loop back from the mount. Only after `stop`. */
  verify(loop: LoopConfig, file: string): Promise<WritesVerdict>;
}

const START_TIMEOUT_MS = 60_000;
const POLL_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 90_000;
const VERIFY_TIMEOUT_MS = 600_000;
/** Bytes of one log fetched at once; what is more comes with the next poll. */
const FETCH_BYTES_MAX = 4_000_000;

const START_SCRIPT = `set -eu
mkdir -p "$1"
cat > "$1/config.json"
cd "$1"
setsid "$2" --experimental-ffi --no-warnings probe.mjs run config.json </dev/null >probe.out 2>&1 &
echo $!
`;

/** The state in proc_pid_stat(5) follows the name in brackets; a zombie has ended, whoever is slow to reap it. */
const POLL_SCRIPT = `cd "$1"
echo "@now $(cut -d' ' -f1 /proc/uptime)"
stat=; [ ! -r "/proc/$2/stat" ] || read -r stat < "/proc/$2/stat"
case "\${stat##*) }" in
""|[ZX]*) echo "@dead $(tail -c 500 probe.out | tr '\\n' ' ')" ;;
*) echo "@alive" ;;
esac
shift 2
while [ $# -gt 1 ]; do
  echo "@log $1"
  tail -c "+$2" "$1.log" 2>/dev/null | head -c ${FETCH_BYTES_MAX}
  echo; echo "@end"
  shift 2
done
`;

export async function startSession(settings: SessionSettings): Promise<Session> {
  const { machines, client, program, folder, loops } = settings;
  await machines.copyTo(client, program.localPath, `${folder}/probe.mjs`);
  const input = JSON.stringify({ logFolder: folder, loops });
  const argv = ["sh", "-c", START_SCRIPT, "sh", folder, program.remoteNode];
  const pid = (await run(machines, client, argv, { input, timeoutMs: START_TIMEOUT_MS })).trim();
  if (!/^\d+$/.test(pid)) throw new Fault({ code: "probe-not-started", what: `the probe's start printed ${pid}` });
  return followSession(settings, pid);
}

function followSession(settings: SessionSettings, pid: string): Session {
  const { machines, client, clock, folder, loops, program, pollIntervalMs } = settings;
  const logs = new Map(loops.map((loop) => [loop.name, emptyLog()] as const));
  const offsets = new Map(loops.map((loop) => [loop.name, 0]));

  const fetch = async (): Promise<PollAnswer> => {
    const positions = loops.flatMap((loop) => [loop.name, String((offsets.get(loop.name) ?? 0) + 1)]);
    const printed = await runScript(machines, client, POLL_SCRIPT, [folder, pid, ...positions], POLL_TIMEOUT_MS);
    const answer = parsePoll(printed);
    for (const [name, text] of answer.texts) {
      const log = logs.get(name);
      if (log === undefined) continue;
      const used = readLines(log, text);
      offsets.set(name, (offsets.get(name) ?? 0) + Buffer.byteLength(text.slice(0, used)));
    }
    return answer;
  };
  const poll = async (): Promise<number> => {
    const answer = await fetch();
    if (answer.dead !== undefined) throw probeEnded(client, answer.dead, logs);
    failOnSetup(logs);
    return answer.nowUs;
  };
  const pollUntil: Session["pollUntil"] = async (what, timeoutMs, done) => {
    const bound = { what, timeoutMs, intervalMs: pollIntervalMs };
    return (await waitFor(clock, bound, async () => (done(await poll()) ? true : undefined))) === true;
  };
  const stop = async (): Promise<void> => {
    await machines.exec(client, ["kill", "-TERM", pid], { timeoutMs: START_TIMEOUT_MS });
    const bound = { what: "the probes' end", timeoutMs: STOP_TIMEOUT_MS, intervalMs: pollIntervalMs };
    const ended = await waitFor(clock, bound, async () => ((await fetch()).dead === undefined ? undefined : true));
    if (ended === undefined) await machines.exec(client, ["kill", "-KILL", pid], { timeoutMs: START_TIMEOUT_MS });
    await fetch();
  };
  const verify: Session["verify"] = async (loop, file) => {
    const log = `${folder}/${loop.name}.log`;
    const flags = ["--experimental-ffi", "--no-warnings"];
    const argv = [program.remoteNode, ...flags, `${folder}/probe.mjs`, "verify", file, log, String(loop.client)];
    return JSON.parse(await run(machines, client, argv, { timeoutMs: VERIFY_TIMEOUT_MS })) as WritesVerdict;
  };
  return { logs, poll, pollUntil, stop, verify };
}

export interface PollAnswer {
  readonly nowUs: number;
  /** What the ended program had said last; undefined while it runs. */
  readonly dead: string | undefined;
  readonly texts: ReadonlyMap<string, string>;
}

/** Reads what POLL_SCRIPT prints. Log lines never begin with "@" (samples.ts). */
export function parsePoll(printed: string): PollAnswer {
  const now = /^@now ([\d.]+)$/m.exec(printed)?.[1];
  if (now === undefined) throw new Fault({ code: "poll-unreadable", what: `no time in ${printed.slice(0, 200)}` });
  const texts = new Map<string, string>();
  for (const part of printed.split("\n@log ").slice(1)) {
    const nameEnd = part.indexOf("\n");
    const end = part.lastIndexOf("\n@end");
    // The echo before @end adds one newline: without it a line that is being written would look whole.
    if (nameEnd >= 0 && end >= nameEnd) texts.set(part.slice(0, nameEnd), part.slice(nameEnd + 1, end));
  }
  return { nowUs: Math.round(Number(now) * 1_000_000), dead: /^@dead ?(.*)$/m.exec(printed)?.[1], texts };
}

function failOnSetup(logs: ReadonlyMap<string, ProbeLog>): void {
  for (const [name, log] of logs) {
    const error = log.errors.find((one) => one.operation === "setup");
    if (error !== undefined) {
      throw new Fault({
        code: "probe-setup-failed",
        what: `probe ${name} could not begin: ${error.code} ${error.text}`,
      });
    }
  }
}

function probeEnded(client: string, said: string, logs: ReadonlyMap<string, ProbeLog>): Fault {
  const errors = [...logs].flatMap(([name, log]) => log.errors.slice(-1).map((error) => `${name}: ${error.text}`));
  return new Fault({
    code: "probe-ended",
    what: `the probe program on ${client} ended before it was told to: ${[said, ...errors].join("; ").slice(0, 1000)}`,
  });
}
