/** Every scenario that `holdfast drill` knows: data, with one runner each. */
import { Fault } from "../base/fault.ts";
import { planWatched } from "./client-plan.ts";
import { crashAtEveryStep } from "./crash-points.ts";
import { crowd } from "./crowd/crowd-drill.ts";
import { FAULTS } from "./faults/catalogue.ts";
import { faultDrill } from "./faults/fault-drill.ts";
import type { FaultDocument } from "./faults/fault-words.ts";
import { failoverStorm } from "./faults/storm.ts";
import { judge, UNNOTICED_PAUSE_MAX_MS, type Subject } from "./judge.ts";
import { killAgent } from "./kill-agent.ts";
import { deadClient, locksOverMoves, locksOverPowerOff } from "./lock-drills.ts";
import { measureActs, measurePlans, prepare, sessionId, type Act, type World } from "./measure.ts";
import { PROBES, type LoopKind } from "./names.ts";
import { besidePlan } from "./neighbour-plan.ts";
import { bringBeside, common, groundOf, judgeRecorded, moveAway, subjectOf } from "./scenario-parts.ts";
import type { DrillResult, DrillSettings, Scenario } from "./scenario.ts";
import { checkWire } from "./wire-check/wire-check.ts";

const PLAIN: readonly Scenario[] = [
  {
    name: "planned-move",
    group: "moves",
    summary: "moves a fileserver to the other node while a client writes, reads, opens, locks and works on a real tree",
    run: plannedMove,
  },
  {
    name: "neighbour",
    group: "moves",
    summary: "moves a fileserver while a client of another fileserver on the same node must not notice",
    run: neighbour,
  },
  {
    name: "agent-kill",
    group: "checks",
    summary: "kills the serving node's agent with SIGKILL; clients must not notice, and the agent must come back",
    run: agentKill,
  },
  {
    name: "crash-points",
    group: "checks",
    summary: "kills the agent at each step of takeover, release and warm standby; the next move must leave one state",
    run: crashAtEveryStep,
  },
  {
    name: "wire-check",
    group: "checks",
    summary: "records the network during a move: no connection ended or refused, holders of v3 locks notified",
    run: wireCheck,
  },
  {
    name: "crowd",
    group: "locks",
    summary:
      "moves a fileserver while 100 NFSv3 clients hold locks: every record kept, all notified, no stop that stalls",
    run: crowd,
    runsUnlessSaid: 10,
  },
  {
    name: "locks-over-moves",
    group: "locks",
    summary: "moves a fileserver there and back while two clients hold 200 locks over v3, v4.1 and v4.2 and use them",
    run: locksOverMoves,
    clients: 2,
    protocolsTogether: true,
    injects: true,
    runsUnlessSaid: 20,
  },
  {
    name: "locks-over-power-off",
    group: "locks",
    summary: "the same, with the serving machine powered off each time and the takeover called by hand",
    run: locksOverPowerOff,
    clients: 2,
    protocolsTogether: true,
    injects: true,
    runsUnlessSaid: 3,
  },
  {
    name: "dead-client",
    group: "locks",
    summary:
      "powers one of two clients off while it holds locks, then moves: how long the other one waits for new locks",
    run: deadClient,
    clients: 2,
    protocolsTogether: true,
  },
  {
    name: "failover-storm",
    summary: "a hundred moves, one after the other: none fails, and the last ones are as quick as the first",
    run: failoverStorm,
    runsUnlessSaid: 100,
    group: "moves",
  },
];

function faultScenario(document: FaultDocument): Scenario {
  const { name, summary, group, variants, load } = document;
  const ofLocks = load === "locks" ? { clients: 2, protocolsTogether: true, injects: true } : {};
  return {
    name,
    summary,
    group,
    needsEngine: true,
    runsUnlessSaid: variants.length,
    fault: document,
    run: faultDrill(document),
    ...ofLocks,
  };
}

export const SCENARIOS: readonly Scenario[] = [...PLAIN, ...FAULTS.map(faultScenario)];

export function findScenario(name: string): Scenario {
  const scenario = SCENARIOS.find((one) => one.name === name);
  if (scenario !== undefined) return scenario;
  throw new Fault({
    kind: "invalid",
    code: "unknown-scenario",
    what: `there is no scenario ${JSON.stringify(name)}`,
    remedy: "`holdfast drill --list` names them",
  });
}

async function plannedMove(world: World, settings: DrillSettings): Promise<DrillResult> {
  const watched = [{ target: settings.fileserver, loops: [...PROBES, "tree"] as const }];
  const act = moveAway(world, settings);
  const shared = { ...common("planned-move", settings), recordsWayBack: true };
  const measured = await measureActs(world, { ...shared, watched, act });
  return judgeRecorded(world, subjectOf("planned-move", "the move", world, settings), measured);
}

async function agentKill(world: World, settings: DrillSettings): Promise<DrillResult> {
  const watched = [{ target: settings.fileserver, loops: PROBES }];
  const act: Act = async (node) => {
    await killAgent(world.machines, node);
    return { to: await world.mover.serving(settings.fileserver.name) };
  };
  const measured = await measureActs(world, { ...common("agent-kill", settings), watched, act });
  const subject = {
    ...subjectOf("agent-kill", "killing the agent", world, settings),
    limitMs: UNNOTICED_PAUSE_MAX_MS,
  };
  return { measured, documents: judge(subject, measured) };
}

function wireCheck(world: World, settings: DrillSettings): Promise<DrillResult> {
  const subject = subjectOf("wire-check", "the move", world, settings);
  return checkWire(world, settings, common("wire-check", settings), subject);
}

/** The moving fileserver has one client as well: an idle one would stop and start faster than any that is used. */
const MOVING_LOOPS: readonly LoopKind[] = ["write"];

async function neighbour(world: World, settings: DrillSettings): Promise<DrillResult> {
  const { fileserver, others } = settings;
  const [other] = others;
  if (other === undefined) {
    throw new Fault({
      kind: "invalid",
      code: "no-neighbour",
      what: `${fileserver.name} is the only fileserver`,
      remedy: "add a second fileserver to the spec",
    });
  }
  await bringBeside(world, other, await world.mover.serving(fileserver.name));
  for (const target of [fileserver, other]) await prepare(world, target, 0);
  const watched = [
    { target: fileserver, loops: MOVING_LOOPS },
    { target: other, loops: PROBES },
  ];
  const act = { ...common("neighbour", settings), act: moveAway(world, settings), recordsWayBack: true };
  const id = sessionId(world, act);
  const plan = besidePlan(planWatched(act, watched, id), groundOf(act, id), other, []);
  const measured = await measurePlans(world, act, [plan], id);
  const subject: Subject = {
    ...subjectOf("neighbour", "the move", world, settings),
    neighbour: { fileserver: other.name, limitMs: UNNOTICED_PAUSE_MAX_MS },
  };
  return judgeRecorded(world, subject, measured);
}
