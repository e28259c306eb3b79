/**
 * The scenario: moves under probes, with an NFSv3 lock held by the client beside its mount, and what crossed the
 * clients' network judged for each. One move more than asked for goes first: its notifications give the state number
 * that those of the next must exceed.
 */
import { Fault, messageOf } from "../../base/fault.ts";
import type { Timeline } from "../../wire/timeline.ts";
import { mountExport, unmountExport } from "../client.ts";
import { verdictOf, type DrillDocument } from "../document.ts";
import { isStep, silenceOf } from "../explain.ts";
import { judge, type Subject } from "../judge.ts";
import { measureActs, type Act, type Measured, type MeasureSettings, type World } from "../measure.ts";
import { PROBES } from "../names.ts";
import { DRILL_FOLDER, prepareTree } from "../tree.ts";
import type { Recorded, Recorder } from "../ports.ts";
import { holdLock } from "./held-lock.ts";
import { judgeWire, type MoveTimes, type WireQuestion, type WireVerdict } from "./judge-wire.ts";
import { addressesOf, clockDifference, ownAddresses, type ClockDifference } from "../look-at-machines.ts";
import { readPcap } from "../capture/pcap.ts";

export interface WireCheckSettings {
  readonly nodes: readonly [string, string];
}

/** How long after a move the network is still recorded: sm-notify asks each client's rpcbind first, and repeats after 2 s. */
const RECORD_AFTER_MS = 10_000;
/** Beside the clocks' difference: steps are written down by the agent, some moments after the kernel did them. */
const STEP_TOLERANCE_MS = 200;
const LOCK_MOUNT = "/mnt/holdfast/wire-check-v3";

type Settings = Omit<MeasureSettings, "watched" | "act">;

export interface WireCheckResult {
  readonly documents: readonly DrillDocument[];
  readonly measured: Measured;
}

export async function checkWire(
  world: World,
  { nodes }: WireCheckSettings,
  settings: Settings,
  subject: Subject,
): Promise<WireCheckResult> {
  const recorder = world.recorder;
  if (recorder === undefined) {
    throw new Fault({ kind: "invalid", code: "no-recorder", what: "nothing here can record the clients' network" });
  }
  const { target } = settings;
  const verdicts: (WireVerdict | undefined)[] = [];
  const measured = await withHeldLock(world, settings, async (question) => {
    const act: Act = async (from) => {
      const to = nodes[0] === from ? nodes[1] : nodes[0];
      verdicts.push(undefined);
      const watched = await recordMove(world, recorder, { from, to, settings, run: verdicts.length });
      const stateBefore = highestState(verdicts.at(-2));
      const asked = stateBefore === undefined ? question : { ...question, stateBefore };
      verdicts[verdicts.length - 1] = judgeRecorded(asked, watched);
      return { to, timeline: watched.timeline };
    };
    const watched = [{ target, loops: PROBES }];
    return measureActs(world, { ...settings, runs: settings.runs + 1, watched, act });
  });
  const documents = judge(subject, measured).map((document, at) => withWire(document, verdicts, at));
  // Where the move that goes first was the last, it is all that there is to tell.
  if (documents.length < 2) return { documents, measured };
  return {
    documents: documents.slice(1).map((document) => ({ ...document, run: document.run - 1 })),
    measured: { ...measured, runs: measured.runs.slice(1) },
  };
}

/** Mounts the fileserver over v3 as well, takes a lock there, and gives both back whatever happens. */
async function withHeldLock<T>(
  world: World,
  { client, family, target, scenario }: Settings,
  body: (question: WireQuestion) => Promise<T>,
): Promise<T> {
  const { machines, mover, progress } = world;
  await prepareTree(machines, { node: await mover.serving(target.name), target, files: 0 });
  const { host, exportPath } = target;
  const directory = LOCK_MOUNT;
  await mountExport(machines, { client, host, exportPath, protocol: "v3", family, directory });
  try {
    const file = `${directory}/${DRILL_FOLDER}/${scenario}.lock`;
    const lock = await holdLock(machines, client, file);
    progress(`${client}: holds a v3 lock on ${target.name}`);
    try {
      return await body({
        addresses: await addressesOf(machines, client, host),
        names: [host, host.split(".")[0] ?? host],
        holders: [{ name: client, addresses: await ownAddresses(machines, client) }],
      });
    } finally {
      await lock.release().catch((error: unknown) => progress(`${client}: the lock stays: ${messageOf(error)}`));
    }
  } finally {
    await unmountExport(machines, client, directory).catch((error: unknown) =>
      progress(`${client}: ${directory} stays mounted: ${messageOf(error)}`),
    );
  }
}

interface MoveToRecord {
  readonly from: string;
  readonly to: string;
  readonly settings: Settings;
  readonly run: number;
}

interface RecordedMove {
  readonly recorded: Recorded;
  readonly timeline: Timeline;
  /** Of the clock by which the timeline was begun. */
  readonly difference: ClockDifference;
}

async function recordMove(
  { machines, mover, clock, progress }: World,
  recorder: Recorder,
  { from, to, settings, run }: MoveToRecord,
): Promise<RecordedMove> {
  const difference = await clockDifference(machines, clock, from);
  const recording = await recorder.start(`${settings.scenario}-${run}`);
  let timeline: Timeline;
  let recorded: Recorded;
  try {
    timeline = await mover.move(settings.target.name, to);
    await clock.sleep(RECORD_AFTER_MS);
  } finally {
    recorded = await recording.stop();
  }
  progress(`recorded in ${recorded.path}: ${(recorded.pcap.length / 1e6).toFixed(1)} MB`);
  return { recorded, timeline, difference };
}

export function judgeRecorded(question: WireQuestion, { recorded, timeline, difference }: RecordedMove): WireVerdict {
  const move = moveTimes(timeline, difference);
  const { frames, cutShort } = readPcap(recorded.pcap);
  const verdict = judgeWire(frames, move === undefined ? question : { ...question, move });
  const incomplete = [
    ...(recorded.endedBecause === undefined ? [] : [`the recording ended early: ${recorded.endedBecause}`]),
    ...(cutShort ? ["the recording ends inside a frame"] : []),
    ...(move === undefined ? ["the timeline tells neither silence nor opening"] : []),
  ];
  return { ...verdict, findings: [...incomplete, ...verdict.findings] };
}

/** On the clock of the recording. */
function moveTimes(timeline: Timeline, { offsetMs, errorMs }: ClockDifference): MoveTimes | undefined {
  const silence = silenceOf(timeline);
  const opening = timeline.steps.find((step) => isStep(step, "open-address"));
  if (silence === undefined || opening === undefined) return undefined;
  const zeroMs = timeline.startedAtMs - offsetMs;
  return {
    silentFromMs: zeroMs + silence.startMs,
    openAtMs: zeroMs + opening.startMs,
    toleranceMs: errorMs + STEP_TOLERANCE_MS,
  };
}

function highestState(verdict: WireVerdict | undefined): number | undefined {
  const states = verdict?.facts.notifications.map(({ state }) => state) ?? [];
  return states.length === 0 ? undefined : Math.max(...states);
}

function withWire(document: DrillDocument, verdicts: readonly (WireVerdict | undefined)[], at: number): DrillDocument {
  const verdict = verdicts[at];
  if (verdict === undefined) {
    const because = [...document.because, "nothing was recorded of this move"];
    return { ...document, verdict: verdictOf(because), because };
  }
  const uncompared = at > 0 && highestState(verdicts[at - 1]) === undefined;
  const because = [
    ...document.because,
    ...verdict.findings,
    ...(uncompared ? ["the move before notified nobody, so a higher state number cannot be shown"] : []),
  ];
  return { ...document, wire: verdict.facts, verdict: verdictOf(because), because };
}
