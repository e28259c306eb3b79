/**
 * Faults (a planned move is one) under probes: one probe session on one client, N times the same act, and for each the
 * stretch of the client's time that belongs to it. Setting up takes longer than a move under emulation, so the session
 * is shared; every act begins only when every probe has been steady again.
 */
import { Fault, messageOf } from "../base/fault.ts";
import type { Clock } from "../system/clock.ts";
import type { Timeline } from "../wire/timeline.ts";
import { kernelLog, mountExport, unmountExport, type MountSettings } from "./client.ts";
import { clockOffsetMs, timelineZeroUs } from "./clocks.ts";
import { heldLocks, type Family, type LoopKind, type Protocol } from "./names.ts";
import { countLostLocks, type WritesVerdict } from "./oracles.ts";
import type { Window } from "./pause.ts";
import type { FileserverTarget } from "./placement.ts";
import type { Machines, Mover, Progress, Recorder } from "./ports.ts";
import type { LoopConfig } from "./probe/config.ts";
import { WRITE_FILE } from "./probe/works.ts";
import type { Random } from "./random.ts";
import type { ProbeLog } from "./samples.ts";
import { startSession, type ProbeProgram, type Session } from "./session.ts";
import { DRILL_FOLDER, prepareTree, removeSession } from "./tree.ts";

/** The lab or site as a drill sees it. */
export interface World {
  readonly machines: Machines;
  readonly mover: Mover;
  readonly clock: Clock;
  readonly program: ProbeProgram;
  /** "holdfast", "stock", … and "tcg" or "kvm": for the document. */
  readonly system: string;
  readonly accelerator: string;
  readonly progress: Progress;
  /** Where on clients the program and its logs go: a local file system. */
  readonly clientFolder?: string;
  readonly pollIntervalMs?: number;
  /** Absent where nothing can record the network. */
  readonly recorder?: Recorder;
}

export interface Watched {
  readonly target: FileserverTarget;
  readonly loops: readonly LoopKind[];
}

/** The fault itself, done on the node that serves. Resolves when the operator would be told that it is over. */
export type Act = (servingNode: string) => Promise<Acted>;

export interface Acted {
  /** Where the fileserver is afterwards. */
  readonly to: string;
  readonly timeline?: Timeline;
}

export interface MeasureSettings {
  readonly scenario: string;
  readonly client: string;
  readonly protocol: Protocol;
  readonly family: Family;
  /** The fileserver that the fault is for. */
  readonly target: FileserverTarget;
  readonly act: Act;
  readonly watched: readonly Watched[];
  readonly treeFiles: number;
  readonly runs: number;
  readonly random: Random;
  /** Pause between two rounds of one probe. */
  readonly intervalMs: number;
  /** How long after a move the probes are watched. */
  readonly settleMs?: number;
  /** Each move begins after a random wait up to this, so that moves meet the probes in different phases. */
  readonly jitterMs?: number;
  /** Where on the client the mounts lie. */
  readonly mountRoot?: string;
}

export interface MeasuredRun {
  /** From 1. */
  readonly run: number;
  readonly from: string;
  readonly to: string;
  readonly timeline: Timeline | undefined;
  /** The timeline's zero on the client's clock, in microseconds; undefined where the clocks could not be compared. */
  readonly timelineZeroUs: number | undefined;
  /** Why the act itself failed. */
  readonly actError: string | undefined;
  /** The act and the return of every probe. */
  readonly window: Window;
  /** Everything since the run before, so that no error falls between two runs. */
  readonly span: Window;
  /** Quiet time before the move, as long as it was. */
  readonly quiet: Window;
  /** Loops that had not come back when the drill gave up. */
  readonly notReturned: readonly string[];
  readonly locksLost: number;
}

export interface Measured {
  readonly runs: readonly MeasuredRun[];
  /** By "FILESERVER-KIND". */
  readonly logs: ReadonlyMap<string, ProbeLog>;
  /** By fileserver; read back after the last run. Undefined where it could not be read: that is no proof of anything. */
  readonly writes: ReadonlyMap<string, WritesVerdict | undefined>;
  readonly problems: readonly string[];
}

export const STEADY_SUCCESSES = 20;
const STEADY_TIMEOUT_MS = 420_000;
const RETURN_TIMEOUT_MS = 180_000;
/** Successes in a row for this long, and as many as this, after a move: then it is over. */
const SETTLE_MS = 4_000;
const SETTLE_SUCCESSES = 10;
const POLL_INTERVAL_MS = 700;
const MOUNT_ROOT = "/mnt/holdfast";
const JITTER_MS = 2_000;
const TREE_INTERVAL_MS = 100;

export function loopName(fileserver: string, kind: LoopKind): string {
  return `${fileserver}-${kind}`;
}

export async function measureActs(world: World, settings: MeasureSettings): Promise<Measured> {
  const { machines, clock, progress } = world;
  const { client, protocol, watched, scenario } = settings;
  const id = `${scenario}-${protocol}-${Math.floor(clock.wallMs()).toString(36)}`;
  const mounts: string[] = [];
  try {
    for (const one of watched) {
      await prepare(world, settings, one);
      const mount = mountSettings(settings, one.target);
      progress(`${client}: mounting ${mount.host}:${mount.exportPath} over ${protocol}`);
      mounts.push(mount.directory);
      await mountExport(machines, mount);
    }
    const loops = watched.flatMap((one) => loopsOf(settings, one, id));
    progress(`${client}: starting ${loops.length} probes`);
    const folder = `${world.clientFolder ?? "/var/tmp/holdfast-drill"}/${id}`;
    const { program, pollIntervalMs = POLL_INTERVAL_MS } = world;
    const session = await startSession({ machines, clock, client, program, folder, loops, pollIntervalMs });
    const measured = await measureSession(world, settings, session, loops);
    for (const one of watched) await removeSession(machines, client, sessionFolder(settings, one.target, id));
    await removeSession(machines, client, folder);
    return measured;
  } finally {
    for (const directory of mounts) {
      await unmountExport(machines, client, directory).catch((error: unknown) =>
        progress(`${client}: ${directory} stays mounted: ${messageOf(error)}`),
      );
    }
  }
}

async function prepare(world: World, settings: MeasureSettings, watched: Watched): Promise<void> {
  const node = await world.mover.serving(watched.target.name);
  const files = watched.loops.includes("tree") ? settings.treeFiles : 0;
  if (files > 0) world.progress(`${node}: making sure of a tree of ${files} files on ${watched.target.name}`);
  const startMs = world.clock.monotonicMs();
  const count = await prepareTree(world.machines, { node, target: watched.target, files });
  if (files > 0) world.progress(`${node}: ${count} files, ${seconds(world.clock.monotonicMs() - startMs)}`);
}

function seconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(1)} s`;
}

function mountSettings(settings: MeasureSettings, target: FileserverTarget): MountSettings {
  const { client, protocol, family, mountRoot } = settings;
  const { host, exportPath } = target;
  const directory = `${mountRoot ?? MOUNT_ROOT}/${target.name}-${protocol}`;
  return { client, host, exportPath, protocol, family, directory };
}

function drillFolder(settings: MeasureSettings, target: FileserverTarget): string {
  return `${mountSettings(settings, target).directory}/${DRILL_FOLDER}`;
}

function sessionFolder(settings: MeasureSettings, target: FileserverTarget, id: string): string {
  return `${drillFolder(settings, target)}/${id}`;
}

function loopsOf(settings: MeasureSettings, { target, loops }: Watched, id: string): LoopConfig[] {
  return loops.map((kind, at) => ({
    name: loopName(target.name, kind),
    kind,
    directory: kind === "tree" ? drillFolder(settings, target) : `${sessionFolder(settings, target, id)}/${kind}`,
    intervalMs: kind === "tree" ? TREE_INTERVAL_MS : settings.intervalMs,
    heldLocks: heldLocks(settings.protocol),
    client: at + 1 + Math.floor(settings.random() * 1_000_000),
  }));
}

async function measureSession(
  world: World,
  settings: MeasureSettings,
  session: Session,
  loops: readonly LoopConfig[],
): Promise<Measured> {
  const problems: string[] = [];
  const runs: MeasuredRun[] = [];
  let stopped = false;
  try {
    await waitSteady(world, session);
    let spanStartUs = 0;
    for (let run = 1; run <= settings.runs; run += 1) {
      const measured = await measureAct(world, settings, session, { run, spanStartUs });
      runs.push(measured);
      spanStartUs = measured.span.endUs;
      if (measured.notReturned.length > 0 || measured.actError !== undefined) break;
    }
    await session.stop();
    stopped = true;
    if (runs.length < settings.runs) problems.push(`stopped after run ${runs.length} of ${settings.runs}`);
    for (const [name, log] of session.logs)
      if (log.endedUs === undefined) problems.push(`${name} did not end when told`);
    return { runs, logs: session.logs, writes: await readBack(world, session, loops, problems), problems };
  } finally {
    // After a failure nothing more is wanted of the probes; what stopping says then would hide the cause.
    if (!stopped) await session.stop().catch(() => undefined);
  }
}

async function waitSteady(world: World, session: Session): Promise<void> {
  const counts = (): string => [...session.logs].map(([name, log]) => `${name} ${log.successes.length}`).join(", ");
  const isSteady = (nowUs: number): boolean =>
    [...session.logs].every(([, log]) => {
      const enough = log.header?.kind === "tree" ? 1 : STEADY_SUCCESSES;
      return log.successes.length >= enough && nowUs - (log.successes.at(-1)?.endUs ?? 0) < SETTLE_MS * 1000;
    });
  if (await session.pollUntil("steady probes", STEADY_TIMEOUT_MS, isSteady)) {
    world.progress(`probes are steady: ${counts()}`);
    return;
  }
  throw new Fault({
    code: "probes-not-steady",
    what: `not every probe had ${STEADY_SUCCESSES} successes within ${STEADY_TIMEOUT_MS / 1000} s: ${counts()}`,
    why: "without a steady client there is no pause to measure",
  });
}

interface RunStart {
  readonly run: number;
  readonly spanStartUs: number;
}

async function measureAct(
  world: World,
  settings: MeasureSettings,
  session: Session,
  start: RunStart,
): Promise<MeasuredRun> {
  const settleUs = (settings.settleMs ?? SETTLE_MS) * 1000;
  const { machines, mover, clock, progress } = world;
  const { client, target } = settings;
  const lostBefore = countLostLocks(await kernelLog(machines, client));
  await clock.sleep(Math.round(settings.random() * (settings.jitterMs ?? JITTER_MS)));
  const from = await mover.serving(target.name);
  const startUs = await session.poll();
  progress(`run ${start.run} of ${settings.runs} (${settings.protocol}): ${target.name} is on ${from}`);
  const actStartMs = clock.monotonicMs();
  let acted: Acted = { to: from };
  let actError: string | undefined;
  try {
    acted = await settings.act(from);
  } catch (error) {
    actError = messageOf(error);
  }
  progress(
    `${target.name} is on ${acted.to}, ${seconds(clock.monotonicMs() - actStartMs)}${actError === undefined ? "" : `; ${actError}`}`,
  );
  const movedUs = await session.poll();
  let endUs = movedUs;
  const isBack = (log: ProbeLog): boolean => {
    const after = log.successes.filter((success) => success.endUs > movedUs).length;
    return after >= (log.header?.kind === "tree" ? 1 : SETTLE_SUCCESSES);
  };
  const settled = await session.pollUntil("probes back", RETURN_TIMEOUT_MS, (nowUs) => {
    endUs = nowUs;
    return nowUs - movedUs >= settleUs && [...session.logs.values()].every(isBack);
  });
  const notReturned = settled ? [] : [...session.logs].filter(([, log]) => !isBack(log)).map(([name]) => name);
  const locksLost = countLostLocks(await kernelLog(machines, client)) - lostBefore;
  const window = { startUs, endUs: settled ? Math.min(endUs, movedUs + settleUs) : endUs };
  return {
    run: start.run,
    from,
    to: acted.to,
    timeline: acted.timeline,
    timelineZeroUs: await zeroOnClient(world, settings, session, from, acted.timeline),
    actError,
    // A gap that began inside the window counts whole, however long it lasts.
    window,
    span: { startUs: start.spanStartUs, endUs },
    quiet: { startUs: startUs - (window.endUs - startUs), endUs: startUs },
    notReturned,
    locksLost: Math.max(0, locksLost),
  };
}

/** The timeline of a move begins with the release: it is the clock of the node that served before. */
async function zeroOnClient(
  world: World,
  settings: MeasureSettings,
  session: Session,
  from: string,
  timeline: Timeline | undefined,
): Promise<number | undefined> {
  const header = [...session.logs.values()].find((log) => log.header !== undefined)?.header;
  if (timeline === undefined || header === undefined) return undefined;
  const offsetMs = await clockOffsetMs(world.machines, settings.client, from);
  return offsetMs === undefined ? undefined : timelineZeroUs(timeline, offsetMs, header);
}

async function readBack(
  world: World,
  session: Session,
  loops: readonly LoopConfig[],
  problems: string[],
): Promise<ReadonlyMap<string, WritesVerdict | undefined>> {
  const writes = new Map<string, WritesVerdict | undefined>();
  for (const loop of loops.filter((one) => one.kind === "write")) {
    world.progress(`reading back what ${loop.name} was told is safe`);
    try {
      writes.set(loop.name, await session.verify(loop, `${loop.directory}/${WRITE_FILE}`));
    } catch (error) {
      writes.set(loop.name, undefined);
      problems.push(`could not read the acknowledged writes of ${loop.name} back: ${messageOf(error)}`);
    }
  }
  return writes;
}
