/** Drills of lock recovery: two clients, every protocol at once, and nothing may be lost or granted twice. */
import { Fault } from "../base/fault.ts";
import type { ClientPlan } from "./client-plan.ts";
import type { DrillDocument } from "./document.ts";
import type { ByProtocol } from "./judge-pauses.ts";
import { judge, type Subject } from "./judge.ts";
import { LOCKS, planLocks } from "./lock-plan.ts";
import { measurePlans, prepare, sessionId, type ActSettings, type Measured, type World } from "./measure.ts";
import { PROBES, type ProtocolMix } from "./names.ts";
import { besidePlan } from "./neighbour-plan.ts";
import type { MachineFaults } from "./ports.ts";
import { bringBeside, common, groundOf, moveAway, otherNode, subjectOf } from "./scenario-parts.ts";
import type { DrillResult, DrillSettings } from "./scenario.ts";

/** With all clients alive nobody waits for a timer; but a v3 client asks again only every 5 s (NLMCLNT_GRACE_WAIT, fs/lockd/clntproc.c). */
const AFTER_RETURN_LIMITS_MS: ByProtocol = { v3: 6_000, "v4.1": 1_000, "v4.2": 1_000 };
/** Beyond the spec's grace: the client's own retry, which doubles up to 15 s (nfs4_update_delay, fs/nfs/nfs4proc.c). */
const GRACE_SLACK_MS = 10_000;
const GRACE_S_DEFAULT = 20;
/** An injected loss lasts up to 5 s (lock-works.ts, watch-works.ts), and the other loops have to meet it. */
const INJECTED_SETTLE_MS = 10_000;

export async function locksOverMoves(world: World, settings: DrillSettings): Promise<DrillResult> {
  const { fileserver } = settings;
  const node = await world.mover.serving(fileserver.name);
  const ready = await readyLocks(world, settings, "locks-over-moves", { beside: node, secondDies: false });
  const act = moveAway(world, settings);
  const measured = await measurePlans(world, { ...ready.act, act }, ready.plans, ready.id);
  return { measured, documents: judge(lockSubject(world, settings, ready, "the move"), measured) };
}

/** The neighbour is kept on the node that stays on; it is moved there before each power-off, outside what is timed. */
export async function locksOverPowerOff(world: World, settings: DrillSettings): Promise<DrillResult> {
  const { fileserver, nodes, others } = settings;
  const { mover, progress } = world;
  const faults = requireFaults(world, "locks-over-power-off");
  const takeOver = mover.takeOver?.bind(mover);
  if (takeOver === undefined)
    throw new Fault({
      kind: "invalid",
      code: "no-takeover",
      what: "here nobody takes over by hand: the cluster does it by itself",
      remedy: "holdfast drill power-off --load locks",
    });
  const survivor = async (): Promise<string> => otherNode(nodes, await mover.serving(fileserver.name));
  const ready = await readyLocks(world, settings, "locks-over-power-off", {
    beside: await survivor(),
    secondDies: false,
  });
  let off: string | undefined;
  const powerOn = async (): Promise<void> => {
    if (off === undefined) return;
    progress(`${off}: power on`);
    await faults.powerOn(off);
    await mover.waitWarm?.(fileserver.name, off);
    off = undefined;
  };
  try {
    const measured = await measurePlans(
      world,
      {
        ...ready.act,
        beforeRun: async () => {
          for (const other of others) await bringBeside(world, other, await survivor());
        },
        act: async (from) => {
          const to = otherNode(nodes, from);
          progress(`${from}: power off`);
          off = from;
          await faults.powerOff(from);
          return { to, timeline: await takeOver(fileserver.name, to, from), clockNode: to };
        },
        afterRun: powerOn,
      },
      ready.plans,
      ready.id,
    );
    return { measured, documents: judge(lockSubject(world, settings, ready, "the takeover"), measured) };
  } finally {
    await powerOn();
  }
}

/** Each run has sessions of its own: a client that lost its power has none left. */
export async function deadClient(world: World, settings: DrillSettings): Promise<DrillResult> {
  const faults = requireFaults(world, "dead-client");
  const [, dying] = twoClients(settings, "dead-client");
  const documents: DrillDocument[] = [];
  let last: Measured | undefined;
  for (let run = 1; run <= settings.runs; run += 1) {
    const ready = await readyLocks(world, settings, "dead-client", { beside: undefined, secondDies: true });
    let off = false;
    const powerOn = async (): Promise<readonly string[]> => {
      if (!off) return [];
      world.progress(`${dying}: power on`);
      await faults.powerOn(dying);
      off = false;
      return [dying];
    };
    try {
      const act: ActSettings = {
        ...ready.act,
        runs: 1,
        watchesGrace: true,
        act: moveAway(world, settings),
        beforeRun: async (sessions) => {
          await sessions.poll();
          sessions.forget(dying);
          off = true;
          world.progress(`${dying}: power off, with its locks`);
          await faults.powerOff(dying);
        },
        beforeLook: powerOn,
      };
      last = await measurePlans(world, act, ready.plans, ready.id);
    } finally {
      await powerOn();
    }
    const graceS = world.spec?.fileservers.find(({ name }) => name === settings.fileserver.name)?.nfs.graceS;
    const limitMs = (graceS ?? GRACE_S_DEFAULT) * 1000 + GRACE_SLACK_MS;
    const subject: Subject = {
      ...lockSubject(world, settings, ready, "the move"),
      afterReturnLimitsMs: { v3: limitMs, "v4.1": limitMs, "v4.2": limitMs },
    };
    documents.push(...judge(subject, last).map((document) => ({ ...document, run })));
    if (last.runs.some(({ actError, notReturned }) => actError !== undefined || notReturned.length > 0)) break;
  }
  if (last === undefined) throw new Fault({ kind: "invalid", code: "no-runs", what: "dead-client with no run" });
  return { documents, measured: documents.length === 1 ? last : { ...last, runs: [] } };
}

export interface ReadyLocks {
  readonly plans: readonly ClientPlan[];
  readonly act: Omit<ActSettings, "act">;
  readonly id: string;
  readonly neighbour: string | undefined;
}

/** Plans, with the neighbour where it belongs and every folder made. */
export async function readyLocks(
  world: World,
  settings: DrillSettings,
  scenario: string,
  choice: { readonly beside: string | undefined; readonly secondDies: boolean },
): Promise<ReadyLocks> {
  const { fileserver: target, protocols, inject, others } = settings;
  const clients = twoClients(settings, scenario);
  const shared = common(scenario, settings);
  const protocol = mixOf(settings);
  const id = sessionId(world, { scenario, protocol });
  const ground = groundOf(shared, id);
  const { secondDies, beside } = choice;
  const injected = inject === undefined ? {} : { inject };
  const plans = planLocks({ ...ground, ...injected, clients, protocols, target, locks: LOCKS, secondDies });
  await prepare(world, target, 0);
  const settle = inject === undefined ? {} : { settleMs: INJECTED_SETTLE_MS * ground.pace };
  const act = { ...shared, ...settle, protocol, injects: inject !== undefined };
  const [neighbour] = beside === undefined ? [] : others;
  if (neighbour === undefined || beside === undefined) return { plans, act, id, neighbour: undefined };
  await bringBeside(world, neighbour, beside);
  await prepare(world, neighbour, 0);
  const withNeighbour = plans.map((plan) =>
    plan.machine === clients[1] ? besidePlan(plan, ground, neighbour, PROBES) : plan,
  );
  return { plans: withNeighbour, act, id, neighbour: neighbour.name };
}

export function mixOf({ protocols, protocol }: DrillSettings): ProtocolMix {
  return protocols.length > 1 ? "all" : (protocols[0] ?? protocol);
}

function lockSubject(world: World, settings: DrillSettings, ready: ReadyLocks, act: string): Subject {
  return {
    ...subjectOf(ready.act.scenario, act, world, settings, mixOf(settings)),
    afterReturnLimitsMs: AFTER_RETURN_LIMITS_MS,
    ...(ready.neighbour === undefined ? {} : { neighbour: { fileserver: ready.neighbour } }),
  };
}

function twoClients({ clients }: DrillSettings, scenario: string): readonly [string, string] {
  const [first, second] = clients;
  if (first !== undefined && second !== undefined && first !== second) return [first, second];
  throw new Fault({
    kind: "invalid",
    code: "drill-needs-clients",
    what: `${scenario} needs two clients, and there is ${clients.join(", ") || "none"}`,
    remedy: "holdfast lab up --clients 2; or name them: --clients c1,c2",
  });
}

function requireFaults({ faults }: World, scenario: string): MachineFaults {
  if (faults !== undefined) return faults;
  throw new Fault({
    kind: "invalid",
    code: "drill-needs-lab",
    what: `${scenario} takes the power of machines, which only a lab lets it do`,
    remedy: "run it in a lab: holdfast lab up --cluster holdfast --clients 2",
  });
}
