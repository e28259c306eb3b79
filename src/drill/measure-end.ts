/** The end of a drill: a look at what is held while it is held, then the loops' end, then what they were told is safe. */
import { messageOf } from "../base/fault.ts";
import type { ClientPlan, PlannedLoop } from "./client-plan.ts";
import type { Measured, World } from "./measure.ts";
import type { WritesVerdict } from "./oracles.ts";
import type { LookAnswer } from "./probe/config.ts";
import { WRITE_FILE } from "./probe/works.ts";
import { askLook, askVerify, putProgram, type Asker } from "./session.ts";
import type { Sessions } from "./sessions.ts";

export interface EndSettings {
  readonly world: World;
  readonly sessions: Sessions;
  readonly loops: ReadonlyMap<string, PlannedLoop>;
  /** Of clients that can look; the first is alive. */
  readonly looking: readonly ClientPlan[];
  /** On every client's own disk. */
  readonly folder: string;
  /** What could not be found out is added. */
  readonly problems: string[];
}

export type EndAnswers = Pick<Measured, "writes" | "freeLocks" | "counter" | "stoppedUs">;

export async function askEnd(settings: EndSettings): Promise<EndAnswers> {
  const { sessions, looking, problems } = settings;
  const freeLocks = await lookAtLocks(settings);
  const stoppedUs = await sessions.poll();
  await sessions.stop();
  const alive = sessions.alive();
  for (const [name, log] of sessions.logs) {
    const machine = settings.loops.get(name)?.machine ?? "";
    if (log.endedUs === undefined && alive.includes(machine)) problems.push(`${name} did not end when told`);
  }
  const writes = await readBack(settings);
  const plan = looking.find((one) => one.counter !== undefined);
  if (plan?.counter === undefined) return { writes, freeLocks, stoppedUs, counter: undefined };
  const { counter } = await lookFrom(settings, plan, { held: [], counter: plan.counter });
  if (counter === undefined) problems.push(`the counter ${plan.counter} could not be read in the end`);
  return { writes, freeLocks, stoppedUs, counter };
}

function askerOf({ world, folder }: EndSettings, client: string): Asker {
  return { machines: world.machines, client, program: world.program, folder };
}

async function lookAtLocks(settings: EndSettings): Promise<ReadonlyMap<string, number>> {
  const { world, sessions, looking, loops } = settings;
  const free = new Map<string, number>();
  for (const plan of looking) {
    // What a client held that is gone may be anybody's.
    const held = plan.looks.filter(({ loop }) => sessions.of(loops.get(loop)?.machine ?? "") !== undefined);
    if (held.length === 0) continue;
    world.progress(`${plan.machine}: trying ${held.reduce((sum, { locks }) => sum + locks, 0)} locks that others hold`);
    const answer = await lookFrom(settings, plan, { held });
    for (const [loop, count] of Object.entries(answer.free)) free.set(loop, Math.max(count, free.get(loop) ?? 0));
  }
  return free;
}

async function lookFrom(
  settings: EndSettings,
  { machine }: ClientPlan,
  request: Parameters<typeof askLook>[1],
): Promise<LookAnswer> {
  const asker = askerOf(settings, machine);
  try {
    if (settings.sessions.of(machine) === undefined) await putProgram(asker);
    return await askLook(asker, request);
  } catch (error) {
    settings.problems.push(`${machine} could not look at the locks of others: ${messageOf(error)}`);
    return { free: {} };
  }
}

/** By the client that wrote, and by the first one that is alive where that one is gone. */
async function readBack(settings: EndSettings): Promise<ReadonlyMap<string, WritesVerdict | undefined>> {
  const { world, sessions, loops, looking, problems } = settings;
  const writes = new Map<string, WritesVerdict | undefined>();
  for (const loop of loops.values()) {
    const log = sessions.logs.get(loop.name);
    if (loop.kind !== "write" || log === undefined) continue;
    world.progress(`reading back what ${loop.name} was told is safe`);
    const client = sessions.of(loop.machine) === undefined ? (looking[0]?.machine ?? "") : loop.machine;
    try {
      const file = `${loop.directory}/${WRITE_FILE}`;
      writes.set(loop.name, await askVerify(askerOf(settings, client), file, loop, log));
    } catch (error) {
      writes.set(loop.name, undefined);
      problems.push(`could not read the acknowledged writes of ${loop.name} back: ${messageOf(error)}`);
    }
  }
  return writes;
}
