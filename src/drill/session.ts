/**
 * One run of the probe program on a client, followed from here: its logs are fetched as they grow, so that waiting for
 * the probes and measuring them use the same samples.
 */
import { Fault } from "../base/fault.ts";
import { waitFor, type Clock } from "../system/clock.ts";
import { run, runScript } from "./client.ts";
import type { WritesVerdict } from "./oracles.ts";
import type { Machines } from "./ports.ts";
import { LOG_FILE, type GO_FILE, type INJECT_FILE, type LookAnswer, type LookRequest } from "./probe/config.ts";
import type { LoopConfig } from "./probe/config.ts";
import { acknowledgedBy, emptyLog, readSessionLines, type ProbeLog } from "./samples.ts";

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
  /** Ends the loops in good order and fetches the last lines. Resolves also when the program had to be killed; its logs then lack the end. */
  stop(): Promise<void>;
  /** Gives the loops that wait for it the drill's word. */
  signal(word: typeof GO_FILE | typeof INJECT_FILE): Promise<void>;
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
# Before whatever else the client is asked meanwhile: what is measured is the server.
setsid nice -n -15 "$2" --experimental-ffi --no-warnings probe.mjs run config.json </dev/null >probe.out 2>&1 &
echo $! > pid
echo $!
`;

/**
 * A drill that was killed leaves its probes working: with locks held, and mounts that are in use. By its number alone a
 * process could be another's by now, so it has to look like a probe too.
 */
const CLEAR_SCRIPT = `for file in "$1"/*/pid; do
  [ -r "$file" ] || continue
  read -r pid < "$file"
  tries=0
  while [ "$tries" -lt 50 ]; do
    case "$(tr '\\0' ' ' < "/proc/$pid/cmdline" 2>/dev/null)" in
    *"probe.mjs run "*) kill -KILL "$pid"; [ "$tries" -gt 0 ] || echo "$file" ;;
    *) break ;;
    esac
    tries=$((tries + 1)); sleep 0.2
  done
done
rm -rf "$1"/*
`;

/** Ends what an earlier drill left on a client, and takes its folders away. Resolves with what it ended. */
export async function clearClient(machines: Machines, client: string, folder: string): Promise<readonly string[]> {
  const printed = await runScript(machines, client, CLEAR_SCRIPT, [folder], START_TIMEOUT_MS);
  return printed.split("\n").filter((line) => line !== "");
}

/** The state in proc_pid_stat(5) follows the name in brackets; a zombie has ended, whoever is slow to reap it. */
const POLL_SCRIPT = `cd "$1"
read -r up idle < /proc/uptime; echo "@now $up"
stat=; [ ! -r "/proc/$2/stat" ] || read -r stat < "/proc/$2/stat"
case "\${stat##*) }" in
""|[ZX]*) echo "@dead $(tail -c 500 probe.out | tr '\\n' ' ')" ;;
*) echo "@alive" ;;
esac
echo "@log"
tail -c "+$3" ${LOG_FILE} 2>/dev/null | head -c ${FETCH_BYTES_MAX}
echo; echo "@end"
`;

export async function startSession(settings: SessionSettings): Promise<Session> {
  const { machines, client, program, folder, loops } = settings;
  await putProgram(settings);
  const input = JSON.stringify({ logFolder: folder, loops });
  const argv = ["sh", "-c", START_SCRIPT, "sh", folder, program.remoteNode];
  const pid = (await run(machines, client, argv, { input, timeoutMs: START_TIMEOUT_MS })).trim();
  if (!/^\d+$/.test(pid)) throw new Fault({ code: "probe-not-started", what: `the probe's start printed ${pid}` });
  return followSession(settings, pid);
}

function followSession(settings: SessionSettings, pid: string): Session {
  const { machines, client, clock, folder, loops, pollIntervalMs } = settings;
  const logs = new Map(loops.map((loop) => [loop.name, emptyLog()] as const));
  let offset = 0;

  const fetch = async (): Promise<PollAnswer> => {
    const args = [folder, pid, String(offset + 1)];
    const answer = parsePoll(await runScript(machines, client, POLL_SCRIPT, args, POLL_TIMEOUT_MS));
    const used = readSessionLines(logs, answer.text);
    offset += Buffer.byteLength(answer.text.slice(0, used));
    return answer;
  };
  const poll = async (): Promise<number> => {
    const answer = await fetch();
    if (answer.dead !== undefined) throw probeEnded(client, answer.dead, logs);
    failOnSetup(logs);
    return answer.nowUs;
  };
  const stop = async (): Promise<void> => {
    await machines.exec(client, ["kill", "-TERM", pid], { timeoutMs: START_TIMEOUT_MS });
    const bound = { what: "the probes' end", timeoutMs: STOP_TIMEOUT_MS, intervalMs: pollIntervalMs };
    const ended = await waitFor(clock, bound, async () => ((await fetch()).dead === undefined ? undefined : true));
    if (ended === undefined) await machines.exec(client, ["kill", "-KILL", pid], { timeoutMs: START_TIMEOUT_MS });
    await fetch();
  };
  const signal: Session["signal"] = async (word) => {
    await run(machines, client, ["touch", `${folder}/${word}`], { timeoutMs: START_TIMEOUT_MS });
  };
  return { logs, poll, stop, signal };
}

/** The probe program once more on a client, beside its session or after it: a process that holds nothing. */
export type Asker = Pick<SessionSettings, "machines" | "client" | "program" | "folder">;

async function ask(asker: Asker, args: readonly string[], input: string): Promise<unknown> {
  const { machines, client, program, folder } = asker;
  const argv = [program.remoteNode, "--experimental-ffi", "--no-warnings", `${folder}/probe.mjs`, ...args];
  return JSON.parse(await run(machines, client, argv, { input, timeoutMs: VERIFY_TIMEOUT_MS }));
}

/** Looks at held locks and a counter. */
export async function askLook(asker: Asker, request: LookRequest): Promise<LookAnswer> {
  return (await ask(asker, ["look"], JSON.stringify(request))) as LookAnswer;
}

/** Reads back what the write loop with this log was told is safe, whichever client ran it. Only after it ended. */
export async function askVerify(asker: Asker, file: string, loop: LoopConfig, log: ProbeLog): Promise<WritesVerdict> {
  const acknowledged = log.successes.flatMap((success) => acknowledgedBy(success)?.join(" ") ?? []).join("\n");
  return (await ask(asker, ["verify", file, String(loop.client)], `${acknowledged}\n`)) as WritesVerdict;
}

/** Puts the program onto a client; `startSession` does so by itself. */
export async function putProgram({ machines, client, program, folder }: Asker): Promise<void> {
  await machines.copyTo(client, program.localPath, `${folder}/probe.mjs`);
}

export interface PollAnswer {
  readonly nowUs: number;
  /** What the ended program had said last; undefined while it runs. */
  readonly dead: string | undefined;
  /** What is new in the log. */
  readonly text: string;
}

/** Reads what POLL_SCRIPT prints. Log lines never begin with "@": loops' names begin with that of a fileserver. */
export function parsePoll(printed: string): PollAnswer {
  const now = /^@now ([\d.]+)$/m.exec(printed)?.[1];
  if (now === undefined) throw new Fault({ code: "poll-unreadable", what: `no time in ${printed.slice(0, 200)}` });
  const dead = /^@dead ?(.*)$/m.exec(printed)?.[1];
  const [start, end] = [printed.indexOf("\n@log\n"), printed.lastIndexOf("\n@end")];
  // The echo before @end adds one newline: without it a line that is being written would look whole.
  const text = start >= 0 && end >= start + 6 ? printed.slice(start + 6, end) : "";
  return { nowUs: Math.round(Number(now) * 1_000_000), dead, text };
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
