/**
 * A move through the cluster: everything that can be refused is refused first, then Pacemaker is told and followed.
 * The decision stays Pacemaker's; what it does is read from the two agents' timelines.
 */
import { Fault, messageOf } from "../base/fault.ts";
import type { Spec } from "../model/spec.ts";
import { waitFor, type Clock } from "../system/clock.ts";
import type { AgentClient } from "../wire/client.ts";
import type { ClusterAnswer } from "../wire/cluster.ts";
import type { Timeline, TimelineStep } from "../wire/timeline.ts";
import { chooseCourse, whyNotServed, type EngineCourse } from "./engine-judge.ts";
import { whenFree } from "./half-move.ts";
import type { ReachedNode } from "./reach.ts";

export interface EngineMoveParts {
  readonly spec: Spec;
  readonly fileserver: string;
  readonly target: string | undefined;
  readonly clock: Clock;
  readonly reach: (node: string) => Promise<ReachedNode>;
  readonly progress: (line: string) => void;
}

export interface EngineMove {
  readonly from?: string;
  readonly to: string;
  readonly durationMs: number;
  readonly timeline: Timeline;
}

/** Longer than a stop and a start may take, under emulation too. */
const FOLLOW_TIMEOUT_MS = 900_000;
const FOLLOW_INTERVAL_MS = 250;
/** crm_mon costs the nodes more than clients should pay while they wait. */
const LOOK_INTERVAL_MS = 15_000;
const CLEAR_ATTEMPTS = 3;
const CLEAR_INTERVAL_MS = 1_000;

export async function moveThroughEngine(parts: EngineMoveParts): Promise<EngineMove> {
  const reached = await reachAll(parts);
  try {
    const course = chooseCourse(await askCluster(reached, parts.spec), parts.fileserver, parts.target);
    const destination = reached.find(({ name }) => name === course.to);
    if (destination === undefined) throw silentAgent(course.to);
    const source = reached.find(({ name }) => name === course.from);
    parts.progress(
      course.from === undefined
        ? `${parts.fileserver}: nobody serves it; ${course.to} is to take it over`
        : `${parts.fileserver}: from ${course.from} to ${course.to}`,
    );
    return await move(parts, course, source?.agent, destination.agent);
  } finally {
    await Promise.all(reached.map((node) => node.close()));
  }
}

async function reachAll({ spec, reach }: EngineMoveParts): Promise<readonly ReachedNode[]> {
  const tried = await Promise.allSettled(spec.cluster.nodes.map(({ name }) => reach(name)));
  return tried.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
}

/** The word of a node with quorum, before that of one without. */
async function askCluster(reached: readonly ReachedNode[], spec: Spec): Promise<ClusterAnswer> {
  const asked = await Promise.allSettled(reached.map(({ agent }) => agent.cluster()));
  const answers = asked.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const answer = answers.find(({ quorum }) => quorum) ?? answers[0];
  if (answer !== undefined) return answer;
  const [failure] = asked.flatMap((one) => (one.status === "rejected" ? [one.reason as unknown] : []));
  throw new Fault({
    kind: "refused",
    code: "cluster-unknown",
    what: `no node of ${spec.cluster.name} can say how the cluster is`,
    remedy: "look on a node: systemctl status holdfast-agent pacemaker",
    cause: failure,
  });
}

function silentAgent(node: string): Fault {
  return new Fault({
    kind: "refused",
    code: "agent-unreachable",
    what: `the agent of ${node} does not answer; nothing was changed`,
    remedy: `look on ${node}: systemctl status holdfast-agent`,
  });
}

async function move(
  parts: EngineMoveParts,
  course: EngineCourse,
  source: AgentClient | undefined,
  destination: AgentClient,
): Promise<EngineMove> {
  const { fileserver, clock } = parts;
  // Also what a move that was killed has left behind.
  await destination.engineClear({ fileserver });
  const { systemId } = await whenFree(clock, () => destination.prepare(fileserver));
  parts.progress(`${fileserver}: ${course.to} is prepared`);
  const ends = {
    source: source === undefined ? undefined : await beginEnd(clock, source, fileserver),
    destination: await beginEnd(clock, destination, fileserver),
  };
  if (systemId !== undefined)
    for (const agent of [source, destination]) await agent?.handover(fileserver, { successorSystemId: systemId });
  const toldWallMs = clock.wallMs();
  try {
    await destination.engineMove({ fileserver, node: course.to });
    const taken = await follow(parts, course, ends.destination);
    const released = await ends.source?.runsSince().then((runs) => runs.findLast((run) => run.kind === "release"));
    const timeline = joinThroughEngine(ends, released, taken, toldWallMs);
    const { from, to } = course;
    return { ...(from === undefined ? {} : { from }), to, durationMs: lastEndMs(timeline), timeline };
  } finally {
    await clear(parts, destination);
  }
}

/** One of the two nodes: what it has run since, and how its wall clock stands to this machine's. */
interface MoveEnd {
  readonly aheadMs: number;
  runsSince(): Promise<readonly Timeline[]>;
}

async function beginEnd(clock: Clock, agent: AgentClient, fileserver: string): Promise<MoveEnd> {
  const runs = await agent.history(fileserver);
  const last = runs.at(-1)?.id;
  const askedMs = clock.wallMs();
  const { wallMs } = await agent.status();
  // The agent reads its clock before it looks around, so that the answer is nearer to the question's time.
  return { aheadMs: wallMs - askedMs, runsSince: () => agent.history(fileserver, last) };
}

/** Resolves with the takeover there; rejects where it failed, or where nothing comes of it in time. */
async function follow(parts: EngineMoveParts, course: EngineCourse, destination: MoveEnd): Promise<Timeline> {
  const { clock, fileserver } = parts;
  let lookedMs = clock.monotonicMs();
  let why: readonly string[] = [];
  const bound = { what: "the move", timeoutMs: FOLLOW_TIMEOUT_MS, intervalMs: FOLLOW_INTERVAL_MS };
  const taken = await waitFor(clock, bound, async () => {
    // An agent that is started anew answers again.
    const runs = await destination.runsSince().catch(() => []);
    const run = runs.findLast(({ kind }) => kind === "takeover");
    if (run !== undefined || clock.monotonicMs() - lookedMs < LOOK_INTERVAL_MS) return run;
    lookedMs = clock.monotonicMs();
    const cluster = await lookAgain(parts);
    if (cluster !== undefined) why = whyNotServed(cluster, fileserver);
    for (const reason of why) parts.progress(`${fileserver}: ${reason}`);
    return undefined;
  });
  if (taken?.outcome === "done") return taken;
  throw new Fault({
    code: taken === undefined ? "move-not-made" : "move-failed",
    what:
      taken === undefined
        ? `the cluster did not bring ${fileserver} to ${course.to} within ${FOLLOW_TIMEOUT_MS / 1000} s`
        : `${course.to} could not take ${fileserver} over; the cluster brings it back where it can`,
    remedy: "holdfast status tells who serves it, and why not",
    cause: new Error((taken?.because ?? why).join("; ") || "the cluster gives no reason"),
  });
}

async function lookAgain(parts: EngineMoveParts): Promise<ClusterAnswer | undefined> {
  const reached = await reachAll(parts);
  try {
    return await askCluster(reached, parts.spec);
  } catch {
    return undefined;
  } finally {
    await Promise.all(reached.map((node) => node.close()));
  }
}

/** The constraint has done its work: left behind, it would hold the fileserver there for ever. */
async function clear(parts: EngineMoveParts, agent: AgentClient): Promise<void> {
  let last: unknown;
  for (let attempt = 0; attempt < CLEAR_ATTEMPTS; attempt += 1) {
    try {
      return await agent.engineClear({ fileserver: parts.fileserver });
    } catch (error) {
      last = error;
    }
    await parts.clock.sleep(CLEAR_INTERVAL_MS);
  }
  parts.progress(
    `${parts.fileserver}: the constraint of the move is left in the cluster (${messageOf(last)}); take it out: crm_resource --resource ${parts.fileserver} --clear`,
  );
}

function lastEndMs(timeline: Timeline): number {
  return Math.max(0, ...timeline.steps.map((step) => step.endMs));
}

export interface ClockedEnds {
  readonly source: Pick<MoveEnd, "aheadMs"> | undefined;
  readonly destination: Pick<MoveEnd, "aheadMs">;
}

/**
 * One timeline whose zero is the moment when the cluster was told. What lies between the runs is the engine's: "tell-engine"
 * until the first run begins, "engine-goes-on" between release and takeover.
 */
export function joinThroughEngine(
  ends: ClockedEnds,
  released: Timeline | undefined,
  taken: Timeline,
  toldWallMs: number,
): Timeline {
  const startOf = (run: Timeline, end: Pick<MoveEnd, "aheadMs"> | undefined): number =>
    Math.max(0, run.startedAtMs - (end?.aheadMs ?? 0) - toldWallMs);
  const moved = (run: Timeline, byMs: number): readonly TimelineStep[] =>
    run.steps.map((step) => ({ ...step, startMs: round(step.startMs + byMs), endMs: round(step.endMs + byMs) }));
  const releasedAtMs = released === undefined ? undefined : startOf(released, ends.source);
  const takenAtMs = Math.max(startOf(taken, ends.destination), releasedAtMs ?? 0);
  const release = released === undefined || releasedAtMs === undefined ? [] : moved(released, releasedAtMs);
  const releaseEndMs = Math.max(0, ...release.map((step) => step.endMs));
  const gap = (step: string, node: string, startMs: number, endMs: number): TimelineStep => ({
    step,
    node,
    startMs: round(startMs),
    endMs: round(Math.max(startMs, endMs)),
    outcome: "done",
  });
  return {
    ...taken,
    kind: "move",
    startedAtMs: round(toldWallMs + (ends.source ?? ends.destination).aheadMs),
    steps: [
      gap("tell-engine", released?.node ?? taken.node, 0, releasedAtMs ?? takenAtMs),
      ...release,
      ...(released === undefined ? [] : [gap("engine-goes-on", taken.node, releaseEndMs, takenAtMs)]),
      ...moved(taken, takenAtMs),
    ],
  };
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
