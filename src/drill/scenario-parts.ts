/** What scenarios share. */
import type { DrillDocument } from "./document.ts";
import { judge, type Subject } from "./judge.ts";
import type { Act, Measured, MeasureSettings, World } from "./measure.ts";
import type { ProtocolMix } from "./names.ts";
import type { FileserverTarget } from "./placement.ts";
import type { LoopGround } from "./planned-loop.ts";
import { seeded } from "./random.ts";
import type { DrillResult, DrillSettings } from "./scenario.ts";
import { TREE_FILES_MIN } from "./tree.ts";
import { forgetRecordings } from "./way-back/record-way-back.ts";

/** Between two rounds: short against a pause of a second, long enough for an emulated client with five loops. */
const INTERVAL_MS = 40;

/** As in the lab's agents (src/lab/cluster.ts): how many times slower than a real machine an emulated one may be. */
const TIME_SCALES: Readonly<Record<string, number>> = { tcg: 10 };

export function timeScaleOf({ accelerator }: Pick<World, "accelerator">): number {
  return TIME_SCALES[accelerator] ?? 1;
}

/** To the one of the two nodes that does not serve it. */
export function moveAway(world: World, { fileserver, nodes }: Pick<DrillSettings, "fileserver" | "nodes">): Act {
  return async (from) => {
    const to = otherNode(nodes, from);
    return { to, timeline: await world.mover.move(fileserver.name, to) };
  };
}

export function otherNode(nodes: readonly [string, string], node: string): string {
  return nodes[0] === node ? nodes[1] : nodes[0];
}

/** Moves a fileserver to `node` unless it is there. */
export async function bringBeside({ mover, progress }: World, { name }: FileserverTarget, node: string): Promise<void> {
  if ((await mover.serving(name)) === node) return;
  progress(`moving ${name} to ${node}`);
  await mover.move(name, node);
}

export function common(scenario: string, settings: DrillSettings): Omit<MeasureSettings, "watched" | "act"> {
  return {
    scenario,
    client: settings.client,
    protocol: settings.protocol,
    family: settings.family,
    target: settings.fileserver,
    treeFiles: settings.treeFiles ?? TREE_FILES_MIN,
    runs: settings.runs,
    random: seeded(settings.seed),
    intervalMs: settings.intervalMs ?? INTERVAL_MS,
    ...(settings.settleMs === undefined ? {} : { settleMs: settings.settleMs }),
    ...(settings.jitterMs === undefined ? {} : { jitterMs: settings.jitterMs }),
    ...(settings.mountRoot === undefined ? {} : { mountRoot: settings.mountRoot }),
  };
}

/** The same for loops that have intervals of their own: those are as they are when the others have theirs. */
export function groundOf(settings: Omit<MeasureSettings, "watched" | "act">, id: string): LoopGround {
  const { family, mountRoot, random, intervalMs } = settings;
  return { family, random, id, pace: intervalMs / INTERVAL_MS, ...(mountRoot === undefined ? {} : { mountRoot }) };
}

export function subjectOf(
  scenario: string,
  act: string,
  world: World,
  settings: DrillSettings,
  protocol: ProtocolMix = settings.protocol,
): Subject {
  return {
    scenario,
    act,
    fileserver: settings.fileserver.name,
    protocol,
    seed: settings.seed,
    system: world.system,
    accelerator: world.accelerator,
    ...(settings.inject === undefined ? {} : { injected: settings.inject }),
  };
}

/** The verdicts of a drill that records its runs; `also` adds to them before recordings of what passed are dropped. */
export async function judgeRecorded(
  world: World,
  subject: Subject,
  measured: Measured,
  also: (documents: readonly DrillDocument[]) => readonly DrillDocument[] = (documents) => documents,
): Promise<DrillResult> {
  const documents = also(judge(subject, measured));
  await forgetRecordings(world, measured, documents);
  return { measured, documents };
}
