/** The scenario: stops of a fileserver while a hundred monitored NFSv3 clients hold a lock each, and one more client is timed. */
import { Fault, messageOf } from "../../base/fault.ts";
import { runScript } from "../client.ts";
import { judge } from "../judge.ts";
import { measureActs, prepare, type Act, type World } from "../measure.ts";
import { PROBES } from "../names.ts";
import { common, otherNode, subjectOf, timeScaleOf } from "../scenario-parts.ts";
import type { DrillResult, DrillSettings } from "../scenario.ts";
import { DRILL_FOLDER } from "../tree.ts";
import { addressesOf } from "../look-at-machines.ts";
import type { CrowdLook } from "./config.ts";
import { judgeCrowd, withCrowd, type CrowdRun } from "./judge-crowd.ts";
import { startCrowd, type CrowdSession } from "./session.ts";

const CLIENTS = 100;
/** Reserved ones, apart from those that the client's own kernel takes from the top (xprt_min_resvport 665 to 1023). */
const SOURCE_PORTS = [520, 640] as const;
const NOTIFY_PORT = 40_662;
const ALIVE_INTERVAL_MS = 20_000;
const RETRY_MS = 1_000;
/** Above the grace that a spec allows by default, and the notifier's own repetition. */
const RECLAIM_TIMEOUT_MS = 90_000;
const LOOK_TIMEOUT_MS = 30_000;

export async function crowd(world: World, settings: DrillSettings): Promise<DrillResult> {
  const program = world.crowdProgram;
  if (program === undefined)
    throw new Fault({
      kind: "invalid",
      code: "drill-needs-lab",
      what: "a crowd needs a lab for its hundred addresses",
    });
  const { fileserver } = settings;
  await prepare(world, fileserver, 0);
  const session = await startOnClient(world, settings, program);
  const runs: CrowdRun[] = [];
  let look: CrowdLook | undefined;
  try {
    const watched = [{ target: fileserver, loops: PROBES }];
    const act = stopUnderCrowd(world, settings, session, runs);
    const measured = await measureActs(world, { ...common("crowd", settings), watched, act });
    look = await session.look().catch((error: unknown) => {
      world.progress(`the crowd's locks could not be looked at: ${messageOf(error)}`);
      return { held: [], lost: [], unknown: runs[0]?.before.members.map(({ address }) => address) ?? [] };
    });
    const verdicts = runs.map((run) => judgeCrowd(run, timeScaleOf(world)));
    const documents = judge(subjectOf("crowd", "the move", world, settings), measured).map((document, at, all) =>
      withCrowd(document, verdicts[at], at === all.length - 1 ? look : undefined),
    );
    return { measured, documents };
  } finally {
    await session.stop();
  }
}

async function startOnClient(
  world: World,
  { client, fileserver }: DrillSettings,
  localPath: string,
): Promise<CrowdSession> {
  const { machines, clock, progress } = world;
  const host = (await addressesOf(machines, client, fileserver.host)).find((address) => !address.includes(":"));
  if (host === undefined)
    throw new Fault({ kind: "invalid", code: "crowd-no-address", what: `${fileserver.host} has no IPv4 address` });
  const id = Math.floor(clock.wallMs()).toString(36);
  progress(`${client}: ${CLIENTS} NFSv3 clients mount ${fileserver.name} and take a lock each`);
  const session = await startCrowd({
    machines,
    clock,
    progress,
    client,
    program: { ...world.program, localPath },
    folder: `${world.clientFolder ?? "/var/tmp/holdfast-drill"}-crowd/${id}`,
    clients: CLIENTS,
    config: {
      host,
      exportPath: fileserver.exportPath,
      directory: DRILL_FOLDER,
      session: `crowd-${id}`,
      sourcePorts: SOURCE_PORTS,
      serverPortmapPort: 111,
      ownPortmapPort: 111,
      notifyPort: NOTIFY_PORT,
      aliveIntervalMs: ALIVE_INTERVAL_MS,
      atOnce: 4,
      retryMs: RETRY_MS,
    },
  });
  progress(`${client}: the crowd holds ${CLIENTS} locks`);
  return session;
}

function stopUnderCrowd(
  world: World,
  { fileserver, nodes }: DrillSettings,
  session: CrowdSession,
  runs: CrowdRun[],
): Act {
  const { mover, progress } = world;
  return async (from) => {
    const to = otherNode(nodes, from);
    const [before, recordsBefore] = await Promise.all([session.status(), readRecords(world, fileserver.name, from)]);
    const timeline = await mover.move(fileserver.name, to);
    const isBack = (address: string, reclaims: number): boolean =>
      (before.members.find((was) => was.address === address)?.reclaims ?? 0) < reclaims;
    const after = await session.until(
      ({ members }) => members.every((one) => one.phase === "lost" || isBack(one.address, one.reclaims)),
      RECLAIM_TIMEOUT_MS,
    );
    const recordsAfter = await readRecords(world, fileserver.name, to);
    runs.push({ from, before, after, recordsBefore, recordsAfter, timeline });
    const back = after.members.filter((one) => isBack(one.address, one.reclaims)).length;
    progress(`the crowd: ${back} of ${after.members.length} locks reclaimed, ${recordsAfter.length} records`);
    return { to, timeline };
  };
}

/** $1 fileserver, $2 its first volume. By way of any process in its namespaces; both of statd's lists. */
const RECORDS_SCRIPT = `set -eu
pid=$(head -n 1 "/sys/fs/cgroup/holdfast.slice/holdfast-$1.scope/cgroup.procs")
cd "/proc/$pid/root/run/holdfast/volumes/$2/.holdfast"
ls nsm/sm notify/sm.bak | grep -v ':$' || true
`;

/** Names in statd's lists; each once. */
async function readRecords({ machines, spec }: World, fileserver: string, node: string): Promise<readonly string[]> {
  const volume = spec?.fileservers.find(({ name }) => name === fileserver)?.volumes[0]?.name ?? "data";
  const printed = await runScript(machines, node, RECORDS_SCRIPT, [fileserver, volume], LOOK_TIMEOUT_MS);
  return [...new Set(printed.split("\n").filter((name) => name !== ""))];
}
