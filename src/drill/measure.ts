/**
 * Faults (a planned move is one) under probes: one probe session on each client, N times the same act, and for each the
 * stretch of every client's time that belongs to it. Setting up takes longer than a move under emulation, so the
 * sessions are shared; every act begins only when every probe has been steady again.
 */
import { basename } from "node:path";
import { messageOf } from "../base/fault.ts";
import type { Spec } from "../model/spec.ts";
import type { Clock } from "../system/clock.ts";
import type { Timeline, TimelineStep } from "../wire/timeline.ts";
import { mountExport, unmountExport } from "./client.ts";
import { planWatched, type ClientPlan, type PlannedLoop, type PlanSettings, type Watched } from "./client-plan.ts";
import { askEnd } from "./measure-end.ts";
import { measureRun, seconds, waitSteady } from "./measure-run.ts";
import type { ProtocolMix } from "./names.ts";
import type { WritesVerdict } from "./oracles.ts";
import type { Window } from "./pause.ts";
import type { FileserverTarget } from "./placement.ts";
import type { MachineFaults, Machines, Mover, Progress, Recorder } from "./ports.ts";
import { GO_FILE } from "./probe/config.ts";
import type { Random } from "./random.ts";
import type { ProbeLog } from "./samples.ts";
import { clearClient, startSession, type ProbeProgram } from "./session.ts";
import { startSessions, type Sessions } from "./sessions.ts";
import { prepareTree, removeSession } from "./tree.ts";
import { recordWayBack } from "./way-back/record-way-back.ts";

/** The lab or site as a drill sees it. */
export interface World {
  readonly machines: Machines;
  readonly mover: Mover;
  readonly clock: Clock;
  readonly program: ProbeProgram;
  /** The bundled crowd program on this machine; absent where a drill may not add addresses to a client. */
  readonly crowdProgram?: string;
  /** Of the cluster, where Holdfast serves it. */
  readonly spec?: Spec;
  /** Only in a lab. */
  readonly faults?: MachineFaults;
  /** "holdfast", "stock", … and "tcg" or "kvm": for the document. */
  readonly system: string;
  readonly accelerator: string;
  readonly progress: Progress;
  /** Where on clients the program and its logs go: a local file system. */
  readonly clientFolder?: string;
  readonly pollIntervalMs?: number;
  /** On this machine: where drills that failed leave logs. */
  readonly evidenceFolder?: string;
  /** Absent where nothing can record the network. */
  readonly recorder?: Recorder;
}

/** The fault itself, done on the node that serves. Resolves when the operator would be told that it is over. */
export type Act = (servingNode: string) => Promise<Acted>;

export interface Acted {
  /** Where the fileserver is afterwards. */
  readonly to: string;
  readonly timeline?: Timeline;
  /** Whose clock the timeline's start is of; the node that served before, where it is not said. */
  readonly clockNode?: string;
}

/** What a drill does with its clients' sessions running. */
export interface ActSettings {
  readonly scenario: string;
  readonly protocol: ProtocolMix;
  /** The fileserver that the fault is for. */
  readonly target: FileserverTarget;
  readonly act: Act;
  readonly runs: number;
  readonly random: Random;
  /** How long after a move the probes are watched. */
  readonly settleMs?: number;
  /** Each move begins after a random wait up to this, so that moves meet the probes in different phases. */
  readonly jitterMs?: number;
  /** Before the stretch of time that is judged begins. */
  readonly beforeRun?: (sessions: Sessions) => Promise<void>;
  /** Between two runs: the next one begins when this is done and all probes are steady. */
  readonly afterRun?: () => Promise<void>;
  /** Before the last look at held locks; names clients that were away, can look again, and have to be mounted anew. */
  readonly beforeLook?: () => Promise<readonly string[]>;
  /** Asks the serving node why its grace lasts, as long as the clients are on their way back. */
  readonly watchesGrace?: boolean;
  /** Records the network around each run, where something can, to see the first client's way back. */
  readonly recordsWayBack?: boolean;
  /** Tells the loops to cause their losses once the first act is over. */
  readonly injects?: boolean;
}

export interface MeasureSettings extends Omit<ActSettings, "protocol">, PlanSettings {
  readonly watched: readonly Watched[];
  readonly treeFiles: number;
}

/** Of one client's clock. */
export interface ClientWindows {
  /** The act and the return of every probe. */
  readonly window: Window;
  /** Everything since the run before, so that no error falls between two runs. */
  readonly span: Window;
  /** Quiet time before the move, as long as it was. */
  readonly quiet: Window;
}

/** The windows are those of the drill's first client. */
export interface MeasuredRun extends ClientWindows {
  /** From 1. */
  readonly run: number;
  readonly from: string;
  readonly to: string;
  readonly timeline: Timeline | undefined;
  /** The timeline's zero on the first client's clock, in microseconds; undefined where the clocks could not be compared. */
  readonly timelineZeroUs: number | undefined;
  /** Why the act itself failed. */
  readonly actError: string | undefined;
  /** Those of every client that was alive. */
  readonly windows: ReadonlyMap<string, ClientWindows>;
  /** Loops that had not come back when the drill gave up. */
  readonly notReturned: readonly string[];
  /** By the words of the living clients' kernels. */
  readonly locksLost: number;
  /** The first client's steps after the opening, on the timeline's clock, where they were recorded and recognized. */
  readonly wayBack?: readonly TimelineStep[];
  /** On this machine; what is there after the verdict is for whoever asks why. */
  readonly recordedIn?: string;
  /** What the serving node said, each reason once. */
  readonly graceReasons: readonly string[];
}

export interface Measured {
  readonly runs: readonly MeasuredRun[];
  /** The first is the one whose clock drawings use. */
  readonly clients: readonly string[];
  /** By name, as the logs. */
  readonly loops: ReadonlyMap<string, PlannedLoop>;
  /** By "FILESERVER-KIND". */
  readonly logs: ReadonlyMap<string, ProbeLog>;
  /** By write loop; read back after the last run. Undefined where it could not be read: that is no proof of anything. */
  readonly writes: ReadonlyMap<string, WritesVerdict | undefined>;
  /** By held loop: locks of it that another could have had in the end. */
  readonly freeLocks: ReadonlyMap<string, number>;
  /** What the counter under a lock said in the end; undefined where nobody counted, or it could not be read. */
  readonly counter: number | undefined;
  /** By client: from then on holders gave their locks back because they were told to. */
  readonly stoppedUs: ReadonlyMap<string, number>;
  readonly problems: readonly string[];
}

/** For each client: looking costs an emulated one a tenth of a second of its time. */
const POLL_INTERVAL_MS = 700;

/** One client that watches fileservers over one protocol. */
export async function measureActs(world: World, settings: MeasureSettings): Promise<Measured> {
  const { watched, treeFiles } = settings;
  for (const { target, loops } of watched) await prepare(world, target, loops.includes("tree") ? treeFiles : 0);
  const id = sessionId(world, settings);
  return measurePlans(world, settings, [planWatched(settings, watched, id)], id);
}

/** Unique among drills; folders are named after it. */
export function sessionId(
  { clock }: World,
  { scenario, protocol }: Pick<ActSettings, "scenario" | "protocol">,
): string {
  return `${scenario}-${protocol}-${Math.floor(clock.wallMs()).toString(36)}`;
}

/** The drill's folder on a fileserver, with a tree of files where one is wanted. */
export async function prepare(world: World, target: FileserverTarget, files: number): Promise<void> {
  const node = await world.mover.serving(target.name);
  if (files > 0) world.progress(`${node}: making sure of a tree of ${files} files on ${target.name}`);
  const startMs = world.clock.monotonicMs();
  const count = await prepareTree(world.machines, { node, target, files });
  if (files > 0) world.progress(`${node}: ${count} files, ${seconds(world.clock.monotonicMs() - startMs)}`);
}

/** Any number of clients, each with its plan; the first is the one that times. Every target's folder is there. */
export async function measurePlans(
  world: World,
  settings: ActSettings,
  plans: readonly ClientPlan[],
  id: string,
): Promise<Measured> {
  const { machines, progress } = world;
  const clientFolder = world.clientFolder ?? "/var/tmp/holdfast-drill";
  const folder = `${clientFolder}/${id}`;
  const mounted = new Map<string, ClientPlan>();
  const mount = async (plan: ClientPlan): Promise<void> => {
    mounted.set(plan.machine, plan);
    for (const each of plan.mounts) {
      progress(`${plan.machine}: mounting ${each.host}:${each.exportPath} over ${each.protocol}`);
      await mountExport(machines, each);
    }
  };
  try {
    for (const { machine } of plans) {
      const ended = await clearClient(machines, machine, clientFolder);
      if (ended.length > 0) progress(`${machine}: ended the probes of a drill that was killed: ${ended.join(", ")}`);
    }
    for (const plan of plans) await mount(plan);
    const measured = await measureSessions(world, settings, { plans, folder, mount, mounted });
    for (const { machine, leftovers } of mounted.values()) {
      for (const path of leftovers) await removeSession(machines, machine, path);
    }
    for (const client of mounted.keys()) await removeSession(machines, client, folder);
    return measured;
  } finally {
    for (const { machine, mounts } of mounted.values()) {
      for (const { directory } of mounts) {
        await unmountExport(machines, machine, directory).catch((error: unknown) =>
          progress(`${machine}: ${directory} stays mounted: ${messageOf(error)}`),
        );
      }
    }
  }
}

interface Stage {
  readonly plans: readonly ClientPlan[];
  /** On every client's own disk. */
  readonly folder: string;
  mount(plan: ClientPlan): Promise<void>;
  readonly mounted: Map<string, ClientPlan>;
}

async function measureSessions(world: World, settings: ActSettings, stage: Stage): Promise<Measured> {
  const { plans, folder } = stage;
  const { machines, clock, program, pollIntervalMs = POLL_INTERVAL_MS * plans.length } = world;
  const loops = new Map(plans.flatMap((plan) => plan.loops.map((loop) => [loop.name, loop] as const)));
  const sessions = await startSessions({ clock, pollIntervalMs }, plans, ({ machine, loops: own }) => {
    world.progress(`${machine}: starting ${own.length} probes`);
    return startSession({ machines, clock, client: machine, program, folder, loops: own, pollIntervalMs });
  });
  const problems: string[] = [];
  const runs: MeasuredRun[] = [];
  let stopped = false;
  try {
    await waitSteady(world, sessions, loops, () => sessions.signal(GO_FILE));
    const spanStartUs = new Map<string, number>();
    for (let run = 1; run <= settings.runs; run += 1) {
      const name = `${basename(folder)}-${run}`;
      const measured = await recordWayBack(world, { settings, name, client: plans[0]?.machine }, () =>
        measureRun(world, settings, { sessions, loops, run, spanStartUs }),
      );
      runs.push(measured);
      for (const [client, { span }] of measured.windows) spanStartUs.set(client, span.endUs);
      if (measured.notReturned.length > 0 || measured.actError !== undefined) break;
      if (settings.afterRun === undefined || run === settings.runs) continue;
      const goesOn = await settings
        .afterRun()
        .then(() => waitSteady(world, sessions, loops))
        .catch((error: unknown) => {
          // What was measured by then is told all the same.
          problems.push(`after run ${run}: ${messageOf(error)}`);
          return "stop" as const;
        });
      if (goesOn === "stop") break;
    }
    const looking = await revive(settings, sessions, stage);
    const end = await askEnd({ world, sessions, loops, looking, folder, problems });
    stopped = true;
    if (runs.length < settings.runs) problems.push(`stopped after run ${runs.length} of ${settings.runs}`);
    return { runs, clients: plans.map((plan) => plan.machine), loops, logs: sessions.logs, problems, ...end };
  } finally {
    if (!stopped) {
      // After a failure nothing more is wanted of the probes; what stopping says then would hide the cause.
      await sessions.stop().catch(() => undefined);
      forgetMounts(sessions, stage);
    }
  }
}

/** A machine without power has no mounts. */
function forgetMounts(sessions: Sessions, { plans, mounted }: Stage): void {
  for (const { machine } of plans) if (sessions.of(machine) === undefined) mounted.delete(machine);
}

/** The plans of the clients that can look in the end: those alive, and those that are back. */
async function revive(settings: ActSettings, sessions: Sessions, stage: Stage): Promise<readonly ClientPlan[]> {
  forgetMounts(sessions, stage);
  const back = (await settings.beforeLook?.()) ?? [];
  for (const plan of stage.plans) if (back.includes(plan.machine)) await stage.mount(plan);
  return [...stage.mounted.values()];
}
