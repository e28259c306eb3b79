/** Whether a stop kept what the crowd had: statd's records, notifications, locks; and whether it took longer than it may. Pure. */
import { STEP_BOUNDS_MS, type StepKind } from "../../failover/step.ts";
import type { Timeline, TimelineStep } from "../../wire/timeline.ts";
import { verdictOf, type DrillDocument } from "../document.ts";
import { silenceOf } from "../explain.ts";
import type { CrowdLook, CrowdStatus, MemberStatus } from "./config.ts";

/** Seen at one stop. */
export interface CrowdRun {
  readonly from: string;
  readonly before: CrowdStatus;
  /** When every client had its lock back, or the drill gave up waiting. */
  readonly after: CrowdStatus;
  /** Names in statd's lists (monitored and retired) on the volume, before and after. */
  readonly recordsBefore: readonly string[];
  readonly recordsAfter: readonly string[];
  readonly timeline: Timeline;
}

export interface CrowdFacts {
  readonly clients: number;
  /** Of the crowd's clients, those with a record at statd. */
  readonly recordsBefore: number;
  readonly recordsAfter: number;
  readonly notified: number;
  readonly reclaimed: number;
  readonly locksLost: number;
  readonly releaseMs?: number;
  readonly slowestReleaseStep?: { readonly step: string; readonly durationMs: number; readonly boundMs: number };
  /** From the first to the last notification, and from the first notification to the last reclaim. */
  readonly notifyingMs?: number;
  readonly reclaimingMs?: number;
}

/** The stock stop waits 61 s for a portmapper that is gone; nothing of a release comes near, however slow the machine. */
const RELEASE_MAX_MS = 20_000;

export interface CrowdVerdict {
  readonly facts: CrowdFacts;
  readonly because: readonly string[];
}

/** @param timeScale by which the machines are slower than real ones: it multiplies the steps' bounds, as in their agents. */
export function judgeCrowd(run: CrowdRun, timeScale: number): CrowdVerdict {
  const { before, after, recordsBefore, recordsAfter } = run;
  const addresses = before.members.map(({ address }) => address);
  const pairs = before.members.flatMap((was) => {
    const is = after.members.find(({ address }) => address === was.address);
    return is === undefined ? [] : [{ was, is }];
  });
  const notified = pairs.filter(({ was, is }) => is.states.length > was.states.length);
  const reclaimed = pairs.filter(({ was, is }) => is.reclaims > was.reclaims && is.phase === "holding");
  const lost = pairs.filter(({ is }) => is.phase === "lost");
  const kept = (records: readonly string[]): readonly string[] => addresses.filter((one) => records.includes(one));
  const release = releaseOf(run, timeScale);
  const facts: CrowdFacts = {
    clients: addresses.length,
    recordsBefore: kept(recordsBefore).length,
    recordsAfter: kept(recordsAfter).length,
    notified: notified.length,
    reclaimed: reclaimed.length,
    locksLost: lost.length,
    ...release.facts,
    ...spansOf(reclaimed.map(({ is }) => is)),
  };
  const because = [
    ...missing("has no record at statd before the stop", addresses, kept(recordsBefore)),
    ...missing("has no record at statd after the stop", addresses, kept(recordsAfter)),
    ...missing("was not notified", addresses, addressesOf(notified)),
    ...missing("did not get its lock back", addresses, addressesOf(reclaimed), troubleOf(pairs)),
    ...notified.flatMap(({ was, is }) => wrongStates(was, is)),
    ...release.because,
  ];
  return { facts, because };
}

type Pair = { readonly was: MemberStatus; readonly is: MemberStatus };

function addressesOf(pairs: readonly Pair[]): readonly string[] {
  return pairs.map(({ is }) => is.address);
}

function troubleOf(pairs: readonly Pair[]): string {
  return pairs.find(({ is }) => is.phase !== "holding" && is.trouble !== "")?.is.trouble ?? "";
}

/** One line for all, with an example. */
function missing(what: string, all: readonly string[], found: readonly string[], why = ""): readonly string[] {
  const gone = all.filter((one) => !found.includes(one));
  if (gone.length === 0) return [];
  const example = `${gone[0]} ${what}${why === "" ? "" : ` (${why})`}`;
  return [gone.length === 1 ? example : `${example}, and ${gone.length - 1} others`];
}

/** A client that has seen a number ignores the same and lower ones; an even number means "I am down". */
function wrongStates(was: MemberStatus, is: MemberStatus): readonly string[] {
  const last = was.states.at(-1) ?? -1;
  const wrong = is.states.slice(was.states.length).filter((state) => state % 2 === 0 || state <= last);
  return wrong.map((state) => `${is.address} was notified with state ${state}, the one before was ${last}`);
}

function spansOf(members: readonly MemberStatus[]): Pick<CrowdFacts, "notifyingMs" | "reclaimingMs"> {
  if (members.length === 0) return {};
  const notified = members.map(({ notifiedUs }) => notifiedUs);
  const firstUs = Math.min(...notified);
  const lastReclaimUs = Math.max(...members.map(({ reclaimedUs }) => reclaimedUs));
  return {
    notifyingMs: Math.round((Math.max(...notified) - firstUs) / 1000),
    reclaimingMs: Math.round((lastReclaimUs - firstUs) / 1000),
  };
}

interface ReleaseVerdict {
  readonly facts: Pick<CrowdFacts, "releaseMs" | "slowestReleaseStep">;
  readonly because: readonly string[];
}

/** Of a move's timeline the steps on the node that served before. */
function releaseOf({ timeline, from }: CrowdRun, timeScale: number): ReleaseVerdict {
  const steps = timeline.steps.filter(({ node }) => node === from);
  if (steps.length === 0) return { facts: {}, because: ["the release left no timeline"] };
  const silentMs = silenceOf(timeline)?.startMs ?? Math.min(...steps.map(({ startMs }) => startMs));
  // What is written back before clients are made to wait is no part of the stop.
  const releaseMs = Math.round(Math.max(...steps.map(({ endMs }) => endMs)) - silentMs);
  const timed = steps.map((step) => ({
    step: step.step,
    durationMs: Math.round(step.endMs - step.startMs),
    boundMs: boundOf(step, timeScale),
  }));
  const slowest = timed.toSorted((a, b) => b.durationMs - a.durationMs)[0];
  const over = timed.filter(({ durationMs, boundMs }) => durationMs > boundMs);
  return {
    facts: { releaseMs, ...(slowest === undefined ? {} : { slowestReleaseStep: slowest }) },
    because: [
      ...over.map(({ step, durationMs, boundMs }) => `${step} took ${durationMs} ms, over its bound of ${boundMs} ms`),
      ...(releaseMs > RELEASE_MAX_MS ? [`the release took ${releaseMs} ms, over ${RELEASE_MAX_MS} ms`] : []),
    ],
  };
}

/** Of a step that the table does not know nothing is asked. */
function boundOf({ step }: TimelineStep, timeScale: number): number {
  const bound = STEP_BOUNDS_MS[(step.split(":")[0] ?? "") as StepKind] as number | undefined;
  return bound === undefined ? Number.POSITIVE_INFINITY : bound * timeScale;
}

export function withCrowd(
  document: DrillDocument,
  verdict: CrowdVerdict | undefined,
  look: CrowdLook | undefined,
): DrillDocument {
  const inTheEnd = look === undefined ? [] : lookProblems(look);
  const because = [...document.because, ...(verdict?.because ?? ["the crowd was not looked at"]), ...inTheEnd];
  const facts = verdict?.facts;
  const lost = Math.max(facts?.locksLost ?? 0, look?.lost.length ?? 0);
  const { oracle, oraclesFailed } = document;
  return {
    ...document,
    ...(facts === undefined ? {} : { crowd: facts }),
    oracle: {
      ...oracle,
      locksHeld: oracle.locksHeld + (facts?.clients ?? 0),
      locksLost: oracle.locksLost + lost,
    },
    oraclesFailed: lost > 0 && !oraclesFailed.includes("lost-lock") ? [...oraclesFailed, "lost-lock"] : oraclesFailed,
    because,
    verdict: verdictOf(because),
  };
}

function lookProblems({ lost, unknown }: CrowdLook): readonly string[] {
  return [
    ...(lost.length === 0 ? [] : [`${lost.length} locks of the crowd were free in the end, that of ${lost[0]} first`]),
    ...(unknown.length === 0 ? [] : [`whether ${unknown.length} clients of the crowd hold their locks is not known`]),
  ];
}
