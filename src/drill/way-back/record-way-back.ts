/**
 * The network recorded around a run, and read for the client's way back. Recording is no part of what is judged: where
 * it fails, the run goes on without it and the drill says so.
 */
import { messageOf } from "../../base/fault.ts";
import type { TimelineStep } from "../../wire/timeline.ts";
import { pingedClockOffsetMs } from "../capture/ping-stamps.ts";
import { readPcap } from "../capture/pcap.ts";
import type { DrillDocument } from "../document.ts";
import { openedMs, silenceOf } from "../explain.ts";
import type { ActSettings, MeasuredRun, World } from "../measure.ts";
import type { Recorded, Recording } from "../ports.ts";
import { addressesOf, ownAddresses } from "../look-at-machines.ts";
import { findWayBack, wayBackSteps } from "./way-back.ts";

export interface RunToRecord {
  readonly settings: Pick<ActSettings, "target" | "protocol" | "recordsWayBack">;
  /** The recording's. */
  readonly name: string;
  /** The client that measures. */
  readonly client: string | undefined;
}

export async function recordWayBack(
  world: World,
  { settings, name, client }: RunToRecord,
  measure: () => Promise<MeasuredRun>,
): Promise<MeasuredRun> {
  if (settings.recordsWayBack !== true || client === undefined) return measure();
  const recording = await orTell(world, "the network could not be recorded", () => world.recorder?.start(name));
  if (recording === undefined) return measure();
  let measured: MeasuredRun;
  try {
    measured = await measure();
  } catch (error) {
    const recorded = await stop(world, recording);
    if (recorded !== undefined) world.progress(`what failed was recorded in ${recorded.path}`);
    throw error;
  }
  const recorded = await stop(world, recording);
  if (recorded === undefined) return measured;
  const wayBack = await orTell(world, "the recording tells no way back", () =>
    readWayBack(world, { settings, client, recorded }, measured),
  );
  return { ...measured, recordedIn: recorded.path, ...(wayBack === undefined ? {} : { wayBack }) };
}

async function stop(world: World, recording: Recording): Promise<Recorded | undefined> {
  const recorded = await orTell(world, "the recording could not be ended", () => recording.stop());
  if (recorded?.endedBecause !== undefined) world.progress(`the recording ended early: ${recorded.endedBecause}`);
  return recorded;
}

async function orTell<T>(
  { progress }: World,
  what: string,
  deed: () => Promise<T> | undefined,
): Promise<T | undefined> {
  try {
    return await deed();
  } catch (error) {
    progress(`${what}: ${messageOf(error)}`);
    return undefined;
  }
}

interface RecordedRun {
  readonly settings: RunToRecord["settings"];
  readonly client: string;
  readonly recorded: Recorded;
}

/** Undefined where the timeline, the clocks or the wire do not tell. */
async function readWayBack(
  { machines }: World,
  { settings, client, recorded }: RecordedRun,
  { timeline }: MeasuredRun,
): Promise<readonly TimelineStep[] | undefined> {
  const { protocol, target } = settings;
  if (timeline === undefined || protocol === "all") return undefined;
  const [silence, opened] = [silenceOf(timeline), openedMs(timeline)];
  if (silence === undefined || opened === undefined) return undefined;
  const ends = {
    client: await ownAddresses(machines, client),
    fileserver: await addressesOf(machines, client, target.host),
  };
  const { frames } = readPcap(recorded.pcap);
  const offsetMs = pingedClockOffsetMs(frames, ends.client);
  if (offsetMs === undefined) return undefined;
  const zeroMs = timeline.startedAtMs - offsetMs;
  // The farthest from both servers' answers.
  const silentAtMs = zeroMs + (silence.startMs + silence.endMs) / 2;
  const wayBack = findWayBack(frames, { ...ends, protocol, silentAtMs });
  return wayBack === undefined ? undefined : wayBackSteps(wayBack, { node: client, zeroMs, openedMs: opened });
}

/** Once the verdicts are known: recordings of runs that passed go, those of the others are named. */
export async function forgetRecordings(
  world: World,
  { runs }: { readonly runs: readonly Pick<MeasuredRun, "run" | "recordedIn">[] },
  documents: readonly Pick<DrillDocument, "verdict">[],
): Promise<void> {
  for (const [at, { recordedIn }] of runs.entries()) {
    if (recordedIn === undefined) continue;
    if (documents[at]?.verdict === "pass") {
      await orTell(world, `${recordedIn} stays`, () => world.recorder?.remove(recordedIn));
    } else {
      world.progress(`run ${runs[at]?.run ?? "?"} was recorded in ${recordedIn}`);
    }
  }
}
