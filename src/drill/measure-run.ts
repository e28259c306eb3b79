/** One run of a drill: the act under probes, and the way back of everything. */
import { Fault, messageOf } from "../base/fault.ts";
import type { Timeline } from "../wire/timeline.ts";
import { kernelLog } from "./client.ts";
import type { PlannedLoop } from "./client-plan.ts";
import { clockOffsetMs, timelineZeroUs } from "./clocks.ts";
import type { Acted, ActSettings, ClientWindows, MeasuredRun, World } from "./measure.ts";
import { PROBES } from "./names.ts";
import { countLostLocks } from "./oracles.ts";
import { INJECT_FILE } from "./probe/config.ts";
import type { ProbeLog } from "./samples.ts";
import type { Sessions, Times } from "./sessions.ts";

const STEADY_TIMEOUT_MS = 420_000;
const RETURN_TIMEOUT_MS = 180_000;
/** Successes in a row for this long, and as many as planned, after a move: then it is over. */
const SETTLE_MS = 4_000;
const JITTER_MS = 2_000;
/** Until clients and nodes have got over being asked how far the probes are, and where the fileserver is. */
const QUIET_MS = 500;
const GRACE_INTERVAL_MS = 1_000;

export function seconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(1)} s`;
}

type Loops = ReadonlyMap<string, PlannedLoop>;

/** `go` is called once every loop that does not wait for it has begun: from then on they all have to be steady. */
export async function waitSteady(
  world: World,
  sessions: Sessions,
  loops: Loops,
  go: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const count = (name: string): number => sessions.logs.get(name)?.successes.length ?? 0;
  const tell = (names: readonly PlannedLoop[]): string => names.map(({ name }) => `${name} ${count(name)}`).join(", ");
  const all = [...loops.values()];
  const behind = (now: Times): readonly PlannedLoop[] =>
    all.filter(({ name, machine, steadySuccesses, intervalMs }) => {
      const lastUs = sessions.logs.get(name)?.successes.at(-1)?.endUs ?? 0;
      const recentUs = (SETTLE_MS + 3 * intervalMs) * 1000;
      return count(name) < steadySuccesses || (now.get(machine) ?? 0) - lastUs >= recentUs;
    });
  const first = all.filter((loop) => loop.waitsForGo !== true);
  if (all.some(({ name, waitsForGo }) => waitsForGo === true && count(name) === 0)) {
    const begun = await sessions.pollUntil("begun probes", STEADY_TIMEOUT_MS, () =>
      first.every(({ name }) => count(name) > 0),
    );
    if (begun) await go();
  }
  let missing: readonly PlannedLoop[] = all;
  const steady = await sessions.pollUntil("steady probes", STEADY_TIMEOUT_MS, (now) => {
    missing = behind(now);
    return missing.length === 0;
  });
  if (steady) {
    world.progress(`probes are steady: ${tell(all)}`);
    return;
  }
  throw new Fault({
    code: "probes-not-steady",
    what: `not every probe was steady within ${STEADY_TIMEOUT_MS / 1000} s: ${tell(missing)}`,
    why: "without a steady client there is no pause to measure",
  });
}

export interface RunStart {
  readonly sessions: Sessions;
  readonly loops: Loops;
  readonly run: number;
  /** By client: where the run before ended. */
  readonly spanStartUs: ReadonlyMap<string, number>;
}

export async function measureRun(world: World, settings: ActSettings, start: RunStart): Promise<MeasuredRun> {
  const { sessions } = start;
  const { mover, clock, progress } = world;
  const { target } = settings;
  await settings.beforeRun?.(sessions);
  const lostBefore = await lostLocks(world, start);
  const from = await mover.serving(target.name);
  await clock.sleep(Math.round(settings.random() * (settings.jitterMs ?? JITTER_MS)));
  const polledUs = await sessions.poll();
  await clock.sleep(QUIET_MS);
  const startUs = new Map([...polledUs].map(([client, us]) => [client, us + QUIET_MS * 1000]));
  progress(`run ${start.run} of ${settings.runs} (${settings.protocol}): ${target.name} is on ${from}`);
  const actStartMs = clock.monotonicMs();
  let acted: Acted = { to: from };
  let actError: string | undefined;
  try {
    acted = await settings.act(from);
  } catch (error) {
    actError = messageOf(error);
  }
  const told = actError === undefined ? "" : `; ${actError}`;
  progress(`${target.name} is on ${acted.to}, ${seconds(clock.monotonicMs() - actStartMs)}${told}`);
  if (settings.injects === true && start.run === 1) await sessions.signal(INJECT_FILE);
  const grace = settings.watchesGrace === true ? watchGrace(world, target.name, acted.to) : undefined;
  const { windows, notReturned } = await waitReturn(settings.settleMs ?? SETTLE_MS, start, startUs);
  const [first] = windows.values();
  if (first === undefined) throw new Fault({ code: "no-client", what: "no client is left that could measure" });
  return {
    ...first,
    windows,
    run: start.run,
    from,
    to: acted.to,
    timeline: acted.timeline,
    timelineZeroUs: await zeroOnClient(world, sessions, acted.clockNode ?? from, acted.timeline),
    actError,
    notReturned,
    locksLost: Math.max(0, (await lostLocks(world, start)) - lostBefore),
    graceReasons: (await grace?.()) ?? [],
  };
}

/** Watches until every loop is back, and says for each client which stretches of its time were which. */
async function waitReturn(
  settleMs: number,
  { sessions, loops, spanStartUs }: RunStart,
  startUs: Times,
): Promise<{ readonly windows: ReadonlyMap<string, ClientWindows>; readonly notReturned: readonly string[] }> {
  const movedUs = await sessions.poll();
  const [timer = ""] = movedUs.keys();
  let endUs = movedUs;
  const living = [...loops.values()].filter(({ machine }) => movedUs.has(machine));
  const isBack = (loop: PlannedLoop): boolean =>
    roundsAfter(sessions.logs.get(loop.name), loop, movedUs.get(loop.machine) ?? 0) >= loop.settleSuccesses;
  const settled = await sessions.pollUntil("probes back", RETURN_TIMEOUT_MS, (now) => {
    endUs = now;
    return (now.get(timer) ?? 0) - (movedUs.get(timer) ?? 0) >= settleMs * 1000 && living.every(isBack);
  });
  const windows = new Map<string, ClientWindows>();
  for (const [client, end] of endUs) {
    const [begin, moved] = [startUs.get(client) ?? end, movedUs.get(client) ?? end];
    // A gap that began inside the window counts whole, however long it lasts.
    const window = { startUs: begin, endUs: settled ? Math.min(end, moved + settleMs * 1000) : end };
    const quiet = { startUs: begin - (window.endUs - begin), endUs: begin };
    windows.set(client, { window, span: { startUs: spanStartUs.get(client) ?? 0, endUs: end }, quiet });
  }
  return { windows, notReturned: settled ? [] : living.filter((loop) => !isBack(loop)).map(({ name }) => name) };
}

/** Of loops that only oracles judge a round is over with an error, too: a holder whose locks are lost gets EIO for ever. */
function roundsAfter(log: ProbeLog | undefined, { kind }: PlannedLoop, afterUs: number): number {
  const successes = log?.successes.filter(({ endUs }) => endUs > afterUs).length ?? 0;
  if (kind === "tree" || PROBES.some((probe) => probe === kind)) return successes;
  return successes + (log?.errors.filter(({ endUs }) => endUs > afterUs).length ?? 0);
}

async function lostLocks({ machines }: World, { sessions, loops }: RunStart): Promise<number> {
  const counts = await Promise.all(
    sessions.alive().map(async (client) => countLostLocks(await kernelLog(machines, client), inFlight(loops, client))),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

/** LOCKs that one mount of a client may be waiting for at a time: one of each loop that takes locks and gives them back. */
export function inFlight(loops: Loops, client: string): number {
  const byMount = new Map<string, number>();
  for (const { machine, kind, fileserver, protocol } of loops.values()) {
    if (machine !== client || protocol === "v3" || !["lock", "steal", "count"].includes(kind)) continue;
    byMount.set(`${fileserver} ${protocol}`, (byMount.get(`${fileserver} ${protocol}`) ?? 0) + 1);
  }
  return Math.max(0, ...byMount.values());
}

/** Asks until told to stop; resolves then with each reason once, in the words that came last ("notified 3 s ago"). */
function watchGrace({ mover, clock }: World, fileserver: string, node: string): () => Promise<readonly string[]> {
  const reasons = new Map<string, string>();
  const stop = new AbortController();
  const ask = async (): Promise<void> => {
    // A node that does not answer now has no reason to give; the drill judges by what clients saw.
    const now = (await mover.graceReasons?.(fileserver, node).catch(() => [])) ?? [];
    for (const reason of now) reasons.set(reason.replaceAll(/\d+/g, "#"), reason);
    await clock.sleep(GRACE_INTERVAL_MS);
    if (!stop.signal.aborted) await ask();
  };
  const asking = ask();
  return async () => {
    stop.abort();
    await asking;
    return [...reasons.values()];
  };
}

/** The timeline of a move begins with the release: it is the clock of the node that served before. */
async function zeroOnClient(
  world: World,
  sessions: Sessions,
  node: string,
  timeline: Timeline | undefined,
): Promise<number | undefined> {
  const [client = ""] = sessions.alive();
  const logs = [...(sessions.of(client)?.logs.values() ?? [])];
  const header = logs.find((log) => log.header !== undefined)?.header;
  if (timeline === undefined || header === undefined) return undefined;
  const offsetMs = await clockOffsetMs(world.machines, client, node);
  return offsetMs === undefined ? undefined : timelineZeroUs(timeline, offsetMs, header);
}
