/** `holdfast move`: release there, takeover here; with the standalone engine this command is the one that decides. */
import { Fault } from "../base/fault.ts";
import { drawTimeline } from "../drill/draw.ts";
import type { Spec } from "../model/spec.ts";
import { systemClock, waitFor } from "../system/clock.ts";
import type { FileserverStatus, ReleaseRequest, TakeoverRequest } from "../wire/agent.ts";
import type { Timeline, TimelineStep } from "../wire/timeline.ts";
import type { CliCommand, Io } from "./command.ts";
import { moveThroughEngine } from "./engine-move.ts";
import { giveBack, whenFree, WHEN_FREE_TIMEOUT_MS } from "./half-move.ts";
import { askNodes, reachNode, type ReachedNode } from "./reach.ts";
import { FILE_OPTION, fileOption, readSpecFile } from "./spec-file.ts";

export const MOVE: CliCommand = {
  words: ["move"],
  summary: "move a fileserver to another node while its clients wait",
  details:
    "Without NODE: to the other node of a cluster of two. A fileserver that nobody serves is brought into service.\n" +
    "Refused (exit status 3) when the target cannot serve; nothing is changed then.\n" +
    "With engine: pacemaker the cluster makes the move, and stays free to move it again; it is told, and followed.\n" +
    "With engine: standalone this command makes it itself.\n" +
    "--fenced NODE (standalone): you know that NODE is down (powered off), and its reservation may be taken from it. Never say so of a node that only does not answer.",
  arguments: [
    { name: "fileserver", help: "which one" },
    { name: "node", help: "where to", optional: true },
  ],
  options: [FILE_OPTION, { flags: "--fenced <node>", help: "a node that is certainly powered off" }],
  run: async ({ args, options, io }) => {
    const { spec } = await readSpecFile(fileOption(options));
    const [name = "", target] = args;
    const fileserver = spec.fileservers.find((one) => one.name === name);
    if (fileserver === undefined)
      throw unknownName(
        "fileserver",
        name,
        spec.fileservers.map((one) => one.name),
      );
    const fenced = typeof options["fenced"] === "string" ? options["fenced"] : undefined;
    const move =
      spec.cluster.engine === "pacemaker"
        ? await moveByEngine(spec, name, target, fenced, io)
        : await runMove(spec, name, target, fenced, io);
    io.document({
      fileserver: name,
      from: move.from ?? null,
      to: move.to,
      durationMs: move.durationMs,
      timeline: move.timeline,
    });
    for (const line of drawTimeline(move.timeline, { width: terminalWidth(), unicode: true }).split("\n")) io.say(line);
    io.say(
      `${name} is served by ${move.to}${move.from === undefined ? "" : `, before by ${move.from}`}: ${Math.round(move.durationMs)} ms`,
    );
    return 0;
  },
};

const WIDTH_DEFAULT = 100;

function terminalWidth(): number {
  return process.stdout.columns ?? WIDTH_DEFAULT;
}

async function moveByEngine(
  spec: Spec,
  fileserver: string,
  target: string | undefined,
  fenced: string | undefined,
  io: Io,
): Promise<Move> {
  if (fenced !== undefined)
    throw new Fault({
      kind: "invalid",
      code: "fenced-by-engine",
      what: "--fenced is for engine: standalone",
      why: "here the cluster fences lost nodes itself, and takes over from them",
      remedy: "holdfast status tells what it waits for; a node that is certainly off: stonith_admin --confirm NODE",
    });
  const names: readonly string[] = spec.cluster.nodes.map((node) => node.name);
  if (target !== undefined && !names.includes(target)) throw unknownName("node", target, names);
  return moveThroughEngine({
    spec,
    fileserver,
    target,
    clock: systemClock,
    reach: (node) => reachNode(spec, node),
    progress: (line) => io.progress(line),
  });
}

interface Move {
  readonly from?: string;
  readonly to: string;
  readonly durationMs: number;
  readonly timeline: Timeline;
}

async function runMove(
  spec: Spec,
  fileserver: string,
  target: string | undefined,
  fenced: string | undefined,
  io: Io,
): Promise<Move> {
  const { serving: from, halfDone } = await lookAround(spec, fileserver, fenced);
  const to = chooseTarget(spec, target, from, fenced);
  io.progress(
    from === undefined
      ? `${fileserver}: nobody serves it; ${to} takes it over`
      : `${fileserver}: from ${from} to ${to}`,
  );
  const [source, destination] = await Promise.all([
    from === undefined ? undefined : reachNode(spec, from),
    reachNode(spec, to),
  ]);
  try {
    // What a run left behind that did not end keeps the volumes reserved; the target itself sees to its own.
    for (const node of halfDone.filter((name) => name !== to)) await releaseHalf(spec, fileserver, node, io);
    // Everything that can be refused is refused before clients are made to wait.
    const { systemId } = await whenFree(systemClock, () => destination.agent.prepare(fileserver));
    io.progress(`${fileserver}: ${to} is prepared`);
    const started = performance.now();
    const successor = systemId === undefined ? {} : { successorSystemId: systemId };
    const released = source === undefined ? undefined : await release(fileserver, source, destination, successor);
    const releasedMs = performance.now();
    const taken = await takeOver(fileserver, destination, source, {
      handedOver: source !== undefined && systemId !== undefined,
      ...(fenced === undefined ? {} : { fencedNode: fenced }),
    });
    const endedMs = performance.now();
    const durationMs = endedMs - started;
    // The two nodes' clocks are not compared: each run ended when its answer came, and lasted as long as it says.
    const offsetMs = endedMs - lengthMs(taken) - (released === undefined ? started : releasedMs - lengthMs(released));
    return {
      ...(from === undefined ? {} : { from }),
      to,
      durationMs: Math.round(durationMs * 10) / 10,
      timeline: joinTimelines(released, taken, offsetMs),
    };
  } finally {
    await Promise.all([source?.close(), destination.close()]);
  }
}

/** A target that fails at the last moment gives the fileserver back to where it was: clients must not stay without. */
async function takeOver(
  fileserver: string,
  destination: ReachedNode,
  source: ReachedNode | undefined,
  request: TakeoverRequest,
): Promise<Timeline> {
  try {
    return await destination.agent.takeover(fileserver, request);
  } catch (error) {
    if (source === undefined) throw error;
    const half = { fileserver, source, destination, clock: systemClock };
    return giveBack(half, `${destination.name} could not take ${fileserver} over`, error);
  }
}

async function release(
  fileserver: string,
  source: ReachedNode,
  destination: ReachedNode,
  request: ReleaseRequest,
): Promise<Timeline> {
  try {
    return await source.agent.release(fileserver, request);
  } catch (error) {
    const half = { fileserver, source, destination, clock: systemClock };
    return giveBack(half, `${source.name} could not release ${fileserver}`, error);
  }
}

async function releaseHalf(spec: Spec, fileserver: string, node: string, io: Io): Promise<void> {
  io.progress(`${fileserver}: ${node} has half of it, from a run that did not end; it is released there`);
  const reached = await reachNode(spec, node);
  try {
    await whenFree(systemClock, () => reached.agent.release(fileserver));
  } finally {
    await reached.close();
  }
}

/** How long a node that is said to be powered off may take to prove the contrary. */
const LIVING_TIMEOUT_MS = 5_000;

async function askStatus(spec: Spec, node: string): Promise<void> {
  const reached = await reachNode(spec, node);
  try {
    await reached.agent.status();
  } finally {
    await reached.close();
  }
}

/** A node whose agent answers is not powered off, whatever the operator says. */
async function refuseLiving(spec: Spec, fenced: string): Promise<void> {
  if (!spec.cluster.nodes.some((node) => node.name === fenced)) return;
  const silence = new Promise<"silent">((resolve) => {
    setTimeout(() => resolve("silent"), LIVING_TIMEOUT_MS).unref();
  });
  const answer = askStatus(spec, fenced).then(
    () => "answers" as const,
    () => "silent" as const,
  );
  if ((await Promise.race([answer, silence])) === "silent") return;
  throw new Fault({
    kind: "refused",
    code: "fenced-node-answers",
    what: `${fenced} is not powered off: its agent answers`,
    why: "its reservation would be taken while it may be writing",
    remedy: `move without --fenced, or power ${fenced} off first`,
  });
}

interface Around {
  readonly serving?: string;
  /** Nodes that have a part of it, of a takeover or release that did not end. */
  readonly halfDone: readonly string[];
}

const RUN_STATES: readonly string[] = ["taking-over", "releasing"];
const LOOK_INTERVAL_MS = 500;

/** Waits for runs that are under way: what they come to is what there is to move. */
async function lookAround(spec: Spec, fileserver: string, fenced: string | undefined): Promise<Around> {
  if (fenced !== undefined) await refuseLiving(spec, fenced);
  const others = {
    ...spec,
    cluster: { ...spec.cluster, nodes: spec.cluster.nodes.filter((node) => node.name !== fenced) },
  };
  const bound = { what: "runs under way", timeoutMs: WHEN_FREE_TIMEOUT_MS, intervalMs: LOOK_INTERVAL_MS };
  const settled = await waitFor(systemClock, bound, async () => {
    const states = await askStates(others, fileserver);
    return states.some(({ state }) => RUN_STATES.includes(state)) ? undefined : states;
  });
  if (settled === undefined)
    throw new Fault({
      kind: "refused",
      code: "fileserver-busy",
      what: `a run of ${fileserver} is under way and has not ended within ${WHEN_FREE_TIMEOUT_MS / 1000} s`,
      remedy: "wait for it, then try again: holdfast status",
    });
  const serving = settled.find(({ state }) => state === "serving");
  const halfDone = settled.filter(({ state }) => state === "partial").map(({ node }) => node);
  return { ...(serving === undefined ? {} : { serving: serving.node }), halfDone };
}

interface NodeState {
  readonly node: string;
  readonly state: FileserverStatus["state"];
}

async function askStates(spec: Spec, fileserver: string): Promise<readonly NodeState[]> {
  const replies = await askNodes(spec, async ({ agent }) =>
    (await agent.status()).fileservers.find((one) => one.name === fileserver),
  );
  return replies.map(({ node, result }) => {
    if (result.ok) return { node, state: result.value?.state ?? "absent" };
    throw new Fault({
      kind: "refused",
      code: "node-unknown",
      what: `whether ${node} serves ${fileserver} is not known`,
      why: "two nodes must never serve one fileserver, and what cannot be seen is not assumed",
      remedy: `bring ${node} back, or, if it is certainly powered off, say so: --fenced ${node}`,
      cause: result.error,
    });
  });
}

/** @param fenced a node that is down: known, but never a target. */
export function chooseTarget(
  spec: Spec,
  target: string | undefined,
  from: string | undefined,
  fenced: string | undefined,
): string {
  const names: readonly string[] = spec.cluster.nodes.map((node) => node.name);
  if (fenced !== undefined && !names.includes(fenced)) throw unknownName("node", fenced, names);
  if (target !== undefined) {
    if (!names.includes(target)) throw unknownName("node", target, names);
    if (target === fenced)
      throw new Fault({
        kind: "invalid",
        code: "target-fenced",
        what: `${target} cannot take it: you say that it is down`,
      });
    if (target === from)
      throw new Fault({
        kind: "refused",
        code: "already-serving",
        what: `${target} serves it already; nothing was changed`,
      });
    return target;
  }
  const others = names.filter((name) => name !== from && name !== fenced);
  const [only, ...more] = others;
  if (only !== undefined && more.length === 0) return only;
  throw new Fault({
    kind: "invalid",
    code: "target-not-named",
    what: "several nodes could take it",
    remedy: `name one of: ${others.join(", ")}`,
  });
}

function lengthMs(timeline: Timeline): number {
  return Math.max(0, ...timeline.steps.map((step) => step.endMs));
}

/** One timeline with the release's zero: the takeover's steps are moved by `offsetMs`. */
export function joinTimelines(released: Timeline | undefined, taken: Timeline, offsetMs: number): Timeline {
  const later = (step: TimelineStep): TimelineStep => ({
    ...step,
    startMs: step.startMs + offsetMs,
    endMs: step.endMs + offsetMs,
  });
  return {
    ...taken,
    kind: "move",
    startedAtMs: released?.startedAtMs ?? taken.startedAtMs,
    steps: [...(released?.steps ?? []), ...taken.steps.map(later)],
  };
}

export function unknownName(what: string, given: string, known: readonly string[]): Fault {
  return new Fault({
    kind: "invalid",
    code: `unknown-${what}`,
    what: `there is no ${what} ${JSON.stringify(given)}`,
    remedy: `use one of: ${known.join(", ")}`,
  });
}
