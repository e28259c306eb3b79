/** The one runner of all fault documents: clients at work, the fault under an observer's eyes, the judge, the mending. */
import { Fault, messageOf } from "../../base/fault.ts";
import type { Timeline } from "../../wire/timeline.ts";
import { run as runOn } from "../client.ts";
import { planWatched, type ClientPlan } from "../client-plan.ts";
import type { DrillDocument } from "../document.ts";
import { judgeRun, type Subject } from "../judge.ts";
import { mixOf, readyLocks } from "../lock-drills.ts";
import { measurePlans, prepare, sessionId, type Acted, type ActSettings, type World } from "../measure.ts";
import { PROBES } from "../names.ts";
import { common, otherNode, subjectOf, timeScaleOf } from "../scenario-parts.ts";
import type { DrillResult, DrillSettings } from "../scenario.ts";
import type { LabFaults, MachineFaults, Recorded } from "../ports.ts";
import { readPcap } from "../capture/pcap.ts";
import { collectEvidence, keepDocument } from "./evidence.ts";
import { casesOf, type FaultCase, type FaultDocument, type Load } from "./fault-words.ts";
import { directorsOf } from "./look-at-directors.ts";
import { waitHealthy } from "./healthy.ts";
import { withFault, type FaultRun } from "./judge-fault.ts";
import { openMechanism, type Mechanism } from "./mechanism.ts";
import { addressesOf, latestOnOurClockMs } from "../look-at-machines.ts";
import { observeServers, type Observer } from "./observe-servers.ts";
import { parseEngineEvents } from "./phases.ts";
import { judgeServers, serverOf } from "./servers.ts";
import { judgeThaw } from "./silence-after-thaw.ts";

/** The drill of one document: a run per variant, in turn. */
export function faultDrill(document: FaultDocument) {
  return (world: World, settings: DrillSettings): Promise<DrillResult> =>
    runFaults(world, settings, {
      name: document.name,
      cases: casesOf(document, settings.runs),
      load: settings.load ?? document.load,
    });
}

export interface FaultPlan {
  /** Of the documents that come out. */
  readonly name: string;
  readonly cases: readonly FaultCase[];
  readonly load: Load;
  /** Told before each begins. */
  readonly begins?: (fault: FaultCase) => void;
}

/** What all faults of a drill have in common. */
interface Ground {
  readonly world: World;
  readonly settings: DrillSettings;
  readonly faults: MachineFaults;
  readonly lab: LabFaults;
  readonly nodes: readonly string[];
  readonly runs: FaultRun[];
  readonly evidence: string | undefined;
  thawedAtMs: number | undefined;
}

/** One session of the clients for all of them: the cluster is mended and whole again before each. */
export async function runFaults(world: World, settings: DrillSettings, plan: FaultPlan): Promise<DrillResult> {
  const { faults, lab } = requireLab(world, plan.name);
  if (plan.cases.some(({ document }) => document.needsDirectors === true)) requireDirectors(world, settings);
  const stamp = Math.floor(world.clock.wallMs()).toString(36);
  const ground: Ground = {
    world,
    settings,
    faults,
    lab,
    nodes: world.spec?.cluster.nodes.map(({ name }): string => name) ?? settings.nodes,
    runs: [],
    evidence: world.evidenceFolder === undefined ? undefined : `${world.evidenceFolder}/${plan.name}-${stamp}`,
    thawedAtMs: undefined,
  };
  const mechanism = openMechanism({
    world,
    faults,
    lab,
    nodes: settings.nodes,
    timeScale: timeScaleOf(world),
    thawed: (_, atMs) => (ground.thawedAtMs = atMs),
    reasons: (lines) => void ground.runs.at(-1)?.reasons.push(...lines),
  });
  const load = await readyLoad(world, settings, plan);
  const whole = async (): Promise<void> => {
    const troubles = await mechanism.mend();
    for (const trouble of troubles) world.progress(`not mended: ${trouble}`);
    const clearsFailures = ground.runs.at(-1)?.fault.document.clearsFailures === true;
    await waitHealthy({ world, faults, nodes: ground.nodes, fileserver: settings.fileserver.name, clearsFailures });
  };
  try {
    await whole();
    const act: ActSettings = {
      ...load.act,
      runs: plan.cases.length,
      act: (from) => actOnce(ground, plan, mechanism, from),
      afterRun: whole,
    };
    const measured = await measurePlans(world, act, load.plans, load.id);
    const documents = measured.runs.flatMap((run, at) => {
      const fault = ground.runs[at];
      if (fault === undefined) return [];
      const subject = faultSubject(ground, plan, fault.fault);
      const judged = judgeRun(subject, measured, run, at === measured.runs.length - 1);
      return [withFault(judged, fault, measured, run)];
    });
    return { measured, documents: await keepEvidence(ground, documents) };
  } finally {
    await whole().catch((error: unknown) => world.progress(`the cluster is not whole: ${messageOf(error)}`));
  }
}

interface ReadyLoad {
  readonly plans: readonly ClientPlan[];
  readonly act: Omit<ActSettings, "act">;
  readonly id: string;
}

async function readyLoad(world: World, settings: DrillSettings, { name, load }: FaultPlan): Promise<ReadyLoad> {
  if (load === "locks") return readyLocks(world, settings, name, { beside: undefined, secondDies: false });
  const { fileserver: target } = settings;
  await prepare(world, target, 0);
  const act = common(name, settings);
  const id = sessionId(world, act);
  return { plans: [planWatched(act, [{ target, loops: PROBES }], id)], act, id };
}

async function actOnce(ground: Ground, plan: FaultPlan, mechanism: Mechanism, from: string): Promise<Acted> {
  const { world, settings, runs, lab, nodes } = ground;
  const { mover, machines, clock } = world;
  const target = settings.fileserver;
  const fault = plan.cases[runs.length];
  if (fault === undefined) throw new Fault({ code: "no-fault", what: "there is no fault left to cause" });
  const run: FaultRun = {
    fault,
    from,
    to: undefined,
    servers: undefined,
    thaw: undefined,
    events: {},
    reasons: [],
    evidence: undefined,
  };
  runs.push(run);
  plan.begins?.(fault);
  world.progress(`fault ${runs.length} of ${plan.cases.length}: ${fault.document.name}, ${fault.variant.name}`);
  const before = await lastTakeover(world, target.name, from);
  const scene = { serving: from, standby: standbyOf(ground, from), target };
  const observer = await observeServers({ machines, clock, lab, nodes, target, intervalMs: world.pollIntervalMs });
  ground.thawedAtMs = undefined;
  const recording = await startRecording(ground, run);
  let recorded: Recorded | undefined;
  try {
    for (const step of fault.variant.steps) await mechanism.carryOut(step, scene, observer);
  } catch (error) {
    // While it is still as it is; then clients are to see whether it gets better by itself once the cause is gone.
    await keepLogs(ground, run);
    await mechanism.mend();
    throw error;
  } finally {
    recorded = await recording?.();
    await endObservation(run, observer, target.name);
    await judgeRecording(ground, run, recorded);
  }
  const [problem] = run.servers?.because ?? [];
  if (problem !== undefined) {
    await keepLogs(ground, run);
    throw new Fault({ code: "two-servers", what: problem });
  }
  const to = run.to ?? (await mover.serving(target.name));
  run.to = to;
  const timeline = await lastTakeover(world, target.name, to);
  if (timeline === undefined || timeline.id === before?.id) return { to };
  if (to !== from) {
    run.events = await engineEvents(world, from, to, timeline);
    await judgeRecording(ground, run, recorded);
  }
  return { to, timeline, clockNode: to };
}

/** In a cluster of more than two: the other one of the drill's two, or any. */
function standbyOf({ settings, nodes }: Ground, serving: string): string {
  if (settings.nodes.includes(serving)) return otherNode(settings.nodes, serving);
  return nodes.find((node) => node !== serving) ?? serving;
}

async function lastTakeover({ mover }: World, fileserver: string, node: string): Promise<Timeline | undefined> {
  // An agent that is being restarted has forgotten it: then the pause has no parts.
  return mover.lastTakeover?.(fileserver, node).catch(() => undefined);
}

async function endObservation(run: FaultRun, observer: Observer, fileserver: string): Promise<void> {
  const last = await observer.stop();
  run.to = serverOf(last);
  run.servers = judgeServers(observer.samples, fileserver);
}

/** Only what the frozen node sends: its frames carry the fileserver's MAC, as those of its successor do. */
async function startRecording(
  { world, runs }: Ground,
  { fault, from }: FaultRun,
): Promise<(() => Promise<Recorded>) | undefined> {
  if (fault.variant.holds.silentAfterThaw !== true || world.recorder === undefined) return undefined;
  const recording = await world.recorder.start(`${fault.document.name}-${runs.length}`, from);
  return () => recording.stop();
}

/** Again when the survivor's journal has said when it had fenced the other one. */
async function judgeRecording(
  { world, settings, thawedAtMs }: Ground,
  run: FaultRun,
  recorded: Recorded | undefined,
): Promise<void> {
  if (thawedAtMs === undefined || recorded === undefined) return;
  const addresses = await addressesOf(world.machines, settings.client, settings.fileserver.host);
  const times = { thawedAtMs, fencedAtMs: await fenceEnd(world, run) };
  run.thaw = judgeThaw(readPcap(recorded.pcap).frames, addresses, times, run.from);
}

/** On the recording's clock. */
async function fenceEnd(world: World, { to, events: { fencedAtMs } }: FaultRun): Promise<number | undefined> {
  if (to === undefined || fencedAtMs === undefined) return undefined;
  return latestOnOurClockMs(world, to, fencedAtMs).catch((error: unknown) => {
    world.progress(`${to}: its clock could not be read: ${messageOf(error)}`);
    return undefined;
  });
}

const JOURNAL_TIMEOUT_MS = 60_000;
const JOURNAL = [
  "journalctl",
  "-b",
  "--no-pager",
  "-o",
  "short-unix",
  "-n",
  "3000",
  "-u",
  "corosync",
  "-u",
  "pacemaker",
];

async function engineEvents(
  { machines, progress }: World,
  victim: string,
  node: string,
  timeline: Timeline,
): Promise<FaultRun["events"]> {
  try {
    const printed = await runOn(machines, node, JOURNAL, { timeoutMs: JOURNAL_TIMEOUT_MS });
    return parseEngineEvents(printed, victim, timeline.startedAtMs);
  } catch (error) {
    progress(`${node}: its journal could not be read: ${messageOf(error)}`);
    return {};
  }
}

function faultSubject({ world, settings }: Ground, plan: FaultPlan, { document, variant }: FaultCase): Subject {
  const { returnsWithinMs, allowedErrors, allowedLosses } = variant.holds;
  const mix = plan.load === "locks" ? mixOf(settings) : settings.protocol;
  return {
    ...subjectOf(plan.name, `${document.name} (${variant.name})`, world, settings, mix),
    limitMs: returnsWithinMs * timeScaleOf(world),
    ...(allowedErrors === undefined ? {} : { allowedErrors }),
    ...(allowedLosses === undefined ? {} : { allowedLosses }),
  };
}

async function keepLogs({ world, settings, nodes, evidence }: Ground, run: FaultRun): Promise<void> {
  if (evidence === undefined) return;
  const { machines, progress } = world;
  run.evidence = evidence;
  await collectEvidence({ machines, folder: evidence, nodes, clients: settings.clients }).catch((error: unknown) =>
    progress(`evidence could not be kept: ${messageOf(error)}`),
  );
  progress(`evidence: ${evidence}`);
}

/** A verdict that came only at the end finds the machines as they are now; the document goes beside their logs. */
async function keepEvidence(ground: Ground, documents: readonly DrillDocument[]): Promise<readonly DrillDocument[]> {
  const { evidence, runs } = ground;
  const [run] = runs;
  if (evidence === undefined || run === undefined || documents.every(({ verdict }) => verdict === "pass"))
    return documents;
  if (runs.every((one) => one.evidence === undefined)) await keepLogs(ground, run);
  const kept = documents.map((document) =>
    document.verdict === "pass" || document.fault === undefined
      ? document
      : { ...document, fault: { ...document.fault, evidence } },
  );
  await keepDocument(evidence, "documents.json", kept);
  return kept;
}

/** One that dies has to be stood in for. */
function requireDirectors({ spec }: World, { fileserver }: DrillSettings): void {
  if (directorsOf(spec, fileserver.name).length > 1) return;
  throw new Fault({
    kind: "invalid",
    code: "drill-needs-directors",
    what: `${fileserver.name} is not behind two directors`,
    remedy:
      "run it in a lab that has them, with the fileserver home: holdfast lab up --cluster holdfast --engine pacemaker --directors 2",
  });
}

function requireLab({ faults }: World, name: string): { readonly faults: MachineFaults; readonly lab: LabFaults } {
  if (faults?.lab !== undefined) return { faults, lab: faults.lab };
  throw new Fault({
    kind: "invalid",
    code: "drill-needs-lab",
    what: `${name} breaks machines, networks and disks, which only a lab lets it do`,
    remedy: "run it in a lab: holdfast lab up --cluster holdfast --clients 2",
  });
}
