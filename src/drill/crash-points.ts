/**
 * The agent dies at each step of takeover, release and warm standby, as with kill -9, while a client works. After it the
 * fileserver is asked for again, and then there is one consistent state.
 */
import { Fault, messageOf } from "../base/fault.ts";
import { releaseGraph } from "../failover/release.ts";
import { takeoverGraph } from "../failover/takeover.ts";
import { coldGraph, warmGraph } from "../failover/warm.ts";
import { reservationKey } from "../model/derive.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { asPrinted } from "../scsi/persistent-reserve.ts";
import { waitFor } from "../system/clock.ts";
import { runScript } from "./client.ts";
import { inconsistencies } from "./consistent.ts";
import { verdictOf, type DrillDocument } from "./document.ts";
import { judge } from "./judge.ts";
import { measureActs, type Act, type World } from "./measure.ts";
import { PROBES } from "./names.ts";
import { readNodeFacts } from "./node-facts.ts";
import { common, otherNode, subjectOf } from "./scenario-parts.ts";
import type { DrillResult, DrillSettings } from "./scenario.ts";

export interface CrashPoint {
  readonly run: "takeover" | "release" | "warm";
  /** A step id of that run's graph: the agent kills itself when it begins. */
  readonly step: string;
}

/** A drill's document, with what was done in it. */
export interface CrashDocument extends DrillDocument {
  readonly crashPoint: CrashPoint & { readonly node: string };
  /** From the first request until the fileserver was asked for again: what became of the move that met the crash. */
  readonly firstMove: string;
  readonly secondMove: string;
  /** From the crash until one consistent state was seen. */
  readonly repairedMs: number;
}

/** Every step once. The release of a move hands the volume groups over, so that its graph has that step too. */
export function crashPoints(fileserver: FileserverSpec): readonly CrashPoint[] {
  const ids = (run: CrashPoint["run"], graph: readonly { readonly id: string }[]): readonly CrashPoint[] =>
    graph.map(({ id }) => ({ run, step: id }));
  return [
    ...ids("takeover", takeoverGraph(fileserver)),
    ...ids("release", releaseGraph(fileserver, "successor")),
    ...ids("warm", [...coldGraph(fileserver), ...warmGraph(fileserver)]),
  ];
}

export async function crashAtEveryStep(world: World, settings: DrillSettings): Promise<DrillResult> {
  const { fileserver: target, steps = [] } = settings;
  const fileserver = world.spec?.fileservers.find(({ name }) => name === target.name);
  if (fileserver === undefined)
    throw new Fault({ kind: "invalid", code: "no-spec", what: `${world.system} has no agent that could crash` });
  const wanted = crashPoints(fileserver).filter(({ step }) => steps.length === 0 || steps.includes(step));
  if (wanted.length === 0)
    throw new Fault({ kind: "invalid", code: "unknown-step", what: `there is no step ${steps.join(", ")}` });
  const results: Crashed[] = [];
  const act: Act = async (from) => {
    const at = results.length;
    const point = wanted[at] as CrashPoint;
    world.progress(`crash point ${at + 1}/${wanted.length} ${point.run} ${point.step}`);
    const crashed: Crashed = { ...point, node: "", firstMove: "", secondMove: "", repairedMs: 0, problems: [] };
    results.push(crashed);
    return { to: await crashOnce(world, settings, fileserver, from, at, crashed) };
  };
  const watched = [{ target, loops: PROBES }];
  // What is looked for is a state and not a pause: the time that pauses need to be measured well is left out.
  const all = { ...common("crash-points", settings), runs: wanted.length, settleMs: 1_000, jitterMs: 0, watched, act };
  const measured = await measureActs(world, all);
  const subject = subjectOf("crash-points", "the crash", world, settings);
  return { measured, documents: judge(subject, measured).map((document, at) => withCrash(document, results[at])) };
}

/** What is found out while a crash is under way. */
interface Crashed {
  readonly run: CrashPoint["run"];
  readonly step: string;
  node: string;
  firstMove: string;
  secondMove: string;
  repairedMs: number;
  readonly problems: string[];
}

function withCrash(document: DrillDocument, crashed: Crashed | undefined): CrashDocument {
  const { run, step, node, firstMove, secondMove, repairedMs, problems } = crashed as Crashed;
  const because = [...document.because, ...problems];
  const crashPoint = { run, step, node };
  return { ...document, crashPoint, firstMove, secondMove, repairedMs, because, verdict: verdictOf(because) };
}

const ARM_TIMEOUT_MS = 30_000;
/** A warm standby is made anew 5 s after a release; Node takes up to ten seconds to start under emulation. */
const DEATH_TIMEOUT_MS = 60_000;
const RETURN_TIMEOUT_MS = 90_000;
/** The standby is made anew in this time too. */
const CONSISTENT_TIMEOUT_MS = 90_000;
const LOOK_INTERVAL_MS = 2_000;
const POLL_INTERVAL_MS = 500;

/** Resolves with the node that serves in the end; problems are written down, because the next step is still worth its try. */
async function crashOnce(
  world: World,
  settings: DrillSettings,
  fileserver: FileserverSpec,
  from: string,
  at: number,
  crashed: Crashed,
): Promise<string> {
  const { machines, mover, clock, progress } = world;
  const { name } = fileserver;
  const to = otherNode(settings.nodes, from);
  const node = crashed.run === "takeover" ? to : from;
  crashed.node = node;
  const before = await armCrash(world, node, crashed.step);
  const startedMs = clock.monotonicMs();
  crashed.firstMove = await mover.move(name, to).then(() => "done", messageOf);
  const after = await waitForDeath(world, node, before);
  if (after === undefined) crashed.problems.push(`${node}: its agent did not die at ${crashed.step}`);
  await waitForAgent(world, node);
  progress(`  ${node}: agent ${before} died, ${after ?? "none"} answers; the move: ${crashed.firstMove.slice(0, 160)}`);
  // The same again, or the way back; after a crash in a standby's making only the way back needs it.
  const wanted = crashed.run === "warm" || at % 2 === 1 ? from : to;
  crashed.secondMove = await askAgain(world, name, wanted);
  if (crashed.secondMove !== "done") crashed.problems.push(`the next move, to ${wanted}: ${crashed.secondMove}`);
  const serving = await mover.serving(name);
  const left = await waitForConsistency(world, settings.nodes, fileserver, serving);
  crashed.problems.push(...left);
  crashed.repairedMs = Math.round(clock.monotonicMs() - startedMs);
  await machines.exec(node, ["rm", "-f", CRASH_POINT], { timeoutMs: ARM_TIMEOUT_MS });
  const verdict = crashed.problems.length === 0 ? "one consistent state" : crashed.problems.join("; ");
  progress(`  served by ${serving} after ${(crashed.repairedMs / 1000).toFixed(1)} s: ${verdict}`);
  return serving;
}

/** What serves already where it is wanted was brought there by the move that met the crash. */
async function askAgain(world: World, fileserver: string, to: string): Promise<string> {
  try {
    await world.mover.move(fileserver, to);
    return "done";
  } catch (error) {
    return error instanceof Fault && error.code === "already-serving" ? "done" : messageOf(error);
  }
}

/** As in the agent's places: names the step at whose begin it kills itself; removed as it is read. */
const CRASH_POINT = "/run/holdfast/crash-at";

const ARM_SCRIPT = `set -eu
systemctl show -P MainPID holdfast-agent
printf '%s' "$1" > ${CRASH_POINT}
`;

async function armCrash(world: World, node: string, step: string): Promise<string> {
  const pid = (await runScript(world.machines, node, ARM_SCRIPT, [step], ARM_TIMEOUT_MS)).trim();
  if (/^[1-9]\d*$/.test(pid)) return pid;
  throw new Fault({ code: "agent-not-running", what: `the agent of ${node} does not run` });
}

/** Prints the agent's process id once the file is gone and it is another than $1; nothing while that is not so. */
const DEATH_SCRIPT = `[ ! -e ${CRASH_POINT} ] || exit 0
pid=$(systemctl show -P MainPID holdfast-agent)
[ "$pid" = 0 ] || [ "$pid" = "$1" ] || echo "$pid"
`;

async function waitForDeath(world: World, node: string, before: string): Promise<string | undefined> {
  const bound = { what: "the agent's death", timeoutMs: DEATH_TIMEOUT_MS, intervalMs: POLL_INTERVAL_MS };
  return waitFor(world.clock, bound, async () => {
    const after = (await runScript(world.machines, node, DEATH_SCRIPT, [before], ARM_TIMEOUT_MS)).trim();
    return after === "" ? undefined : after;
  });
}

const ANSWERS_SCRIPT = `{ printf 'GET /v1/status HTTP/1.0\\r\\nHost: agent\\r\\n\\r\\n'; sleep 1.5; } |
  socat -t 5 - UNIX-CONNECT:/run/holdfast/agent.sock 2>/dev/null | head -n 1 | grep -q ' 200 ' && echo yes || echo no
`;

async function waitForAgent(world: World, node: string): Promise<void> {
  const bound = { what: "the agent's return", timeoutMs: RETURN_TIMEOUT_MS, intervalMs: POLL_INTERVAL_MS };
  const back = await waitFor(world.clock, bound, async () =>
    (await runScript(world.machines, node, ANSWERS_SCRIPT, [], ARM_TIMEOUT_MS)).trim() === "yes" ? true : undefined,
  );
  if (back === undefined) throw new Fault({ code: "agent-gone", what: `the agent of ${node} did not come back` });
}

async function waitForConsistency(
  world: World,
  nodes: readonly string[],
  fileserver: FileserverSpec,
  serving: string,
): Promise<readonly string[]> {
  const keyOf = (node: string): string => asPrinted(reservationKey(world.spec?.cluster.name ?? "", node));
  const bound = { what: "one consistent state", timeoutMs: CONSISTENT_TIMEOUT_MS, intervalMs: LOOK_INTERVAL_MS };
  let left: readonly string[] = [];
  await waitFor(world.clock, bound, async () => {
    try {
      const facts = await Promise.all(nodes.map((node) => readNodeFacts(world.machines, node, fileserver)));
      left = inconsistencies({ fileserver, serving, keyOf }, facts);
    } catch (error) {
      left = [messageOf(error)];
    }
    return left.length === 0 ? true : undefined;
  });
  return left;
}
