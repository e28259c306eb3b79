/** How each word of a fault document is carried out, and how it is taken back: everything that was done is undone in the end. */
import { unreachable } from "../../base/assert.ts";
import { Fault, messageOf } from "../../base/fault.ts";
import { waitFor } from "../../system/clock.ts";
import { runScript } from "../client.ts";
import type { World } from "../measure.ts";
import { otherNode } from "../scenario-parts.ts";
import type { FileserverTarget } from "../placement.ts";
import type { LabFaults, MachineFaults } from "../ports.ts";
import type { FaultStep, InsideDeed, Place, ServedBy } from "./fault-words.ts";
import { directorsOf, directorWithAddress, expectDirectors } from "./look-at-directors.ts";
import { INSIDE_SCRIPTS, MISSING_DAEMONS_SCRIPT } from "./inside-scripts.ts";
import type { Observer } from "./observe-servers.ts";
import { serverOf } from "./servers.ts";

/** Who is who as the fault begins. */
export interface Scene {
  readonly serving: string;
  readonly standby: string;
  readonly target: FileserverTarget;
}

export interface MechanismSettings {
  readonly world: World;
  readonly faults: MachineFaults;
  readonly lab: LabFaults;
  readonly nodes: readonly [string, string];
  /** What is slower here than on real machines. */
  readonly timeScale: number;
  /** Called when the frozen node runs again; wall clock of this machine. */
  readonly thawed: (node: string, atMs: number) => void;
  readonly reasons: (lines: readonly string[]) => void;
}

/** How a state that a drill has brought about is ended. By name, so that a step that ends it takes it off. */
export type Undo = ReadonlyMap<string, () => Promise<void>>;

export interface Mechanism {
  /** Rejects where it could not be done, or what is expected did not come. */
  carryOut(step: FaultStep, scene: Scene, observer: Observer): Promise<void>;
  /** Takes back whatever was not taken back by a step, latest first. Resolves with what could not be. */
  mend(): Promise<readonly string[]>;
}

/** Between the two requests of move-during-move: the first one is under way, and its clients wait. */
const SECOND_MOVE_AFTER_MS = 400;

export function openMechanism(settings: MechanismSettings): Mechanism {
  const undo = new Map<string, () => Promise<void>>();
  return {
    carryOut: (step, scene, observer) => carryOut({ settings, undo, scene, observer }, step),
    mend: async () => {
      const failed: string[] = [];
      for (const [name, deed] of [...undo].toReversed()) {
        settings.world.progress(`mending: ${name}`);
        await deed().catch((error: unknown) => void failed.push(`${name}: ${messageOf(error)}`));
      }
      undo.clear();
      return failed;
    },
  };
}

interface Parts {
  readonly settings: MechanismSettings;
  readonly undo: Map<string, () => Promise<void>>;
  readonly scene: Scene;
  readonly observer: Observer;
}

async function carryOut(parts: Parts, step: FaultStep): Promise<void> {
  const { settings, undo, scene } = parts;
  const { world, lab, timeScale } = settings;
  switch (step.do) {
    case "power-off":
    case "power-on":
    case "freeze":
    case "thaw":
    case "panic":
    case "reset":
      return void (await Promise.all(
        (await machinesAt(parts, step.at, step.do)).map((machine) => onMachine(parts, step.do, machine)),
      ));
    case "cut":
      for (const machine of await machinesAt(parts, step.at, step.do)) {
        for (const network of step.networks) {
          undo.set("heal", () => lab.inject({ kind: "heal" }));
          await lab.inject({ kind: "cut", machine, network, direction: step.direction });
        }
      }
      return;
    case "heal":
      undo.delete("heal");
      return lab.inject({ kind: "heal" });
    case "slow-disk":
      undo.set("heal", () => lab.inject({ kind: "heal" }));
      return lab.inject({ kind: "slow-disk", disk: lab.diskOf(scene.target.name), iops: step.iops });
    case "fail-disk":
      undo.set("heal", () => lab.inject({ kind: "heal" }));
      return lab.inject({ kind: "fail-disk", disk: lab.diskOf(scene.target.name), operations: step.operations });
    case "inside":
      for (const machine of await machinesAt(parts, step.at, step.do)) await inside(parts, step.deed, machine);
      return;
    case "undo":
      return undoNamed(parts, insideName(step.deed));
    case "move":
    case "move-during-move":
    case "standby":
      return asOperator(parts, step.do);
    case "hold":
      return world.clock.sleep(step.durationMs);
    case "expect-served":
      return expectServed(parts, step.by, step.withinMs * timeScale);
    case "expect-daemons":
      return expectDaemons(parts, step.withinMs * timeScale);
    case "expect-directors":
      return expectDirectors(world, scene.target.name, () => servingNow(parts), step.withinMs * timeScale);
    case "expect-nobody":
      return expectNobody(parts, step.durationMs * timeScale);
    default:
      return unreachable(step);
  }
}

async function machinesAt(
  { settings, scene, undo }: Parts,
  place: Place,
  deed: FaultStep["do"],
): Promise<readonly string[]> {
  switch (place) {
    case "director":
      // The one that is off has no address: it is the one whose power was taken.
      return deed === "power-on"
        ? directorsOf(settings.world.spec, scene.target.name).filter((machine) => undo.has(`power-on ${machine}`))
        : [await directorWithAddress(settings.world, scene.target.name)];
    case "serving":
      return [scene.serving];
    case "standby":
      return [scene.standby];
    case "both":
      return [scene.serving, scene.standby];
    case "storage":
      return [settings.lab.storage];
    default:
      return unreachable(place);
  }
}

type MachineDeed = "power-off" | "power-on" | "freeze" | "thaw" | "panic" | "reset";

async function onMachine({ settings, undo }: Parts, deed: MachineDeed, machine: string): Promise<void> {
  const { world, faults, lab } = settings;
  world.progress(`${machine}: ${deed}`);
  switch (deed) {
    case "power-off":
      undo.set(`power-on ${machine}`, () => faults.powerOn(machine));
      return faults.powerOff(machine);
    case "power-on":
      undo.delete(`power-on ${machine}`);
      return faults.powerOn(machine);
    case "freeze":
      undo.set(`thaw ${machine}`, () => lab.inject({ kind: "thaw", machine }));
      return lab.inject({ kind: "freeze", machine });
    case "thaw":
      undo.delete(`thaw ${machine}`);
      await lab.inject({ kind: "thaw", machine });
      return settings.thawed(machine, world.clock.wallMs());
    case "panic":
      // It stays as it is; only its power brings it back.
      undo.set(`power-on ${machine}`, async () => {
        if (await lab.isOn(machine)) await faults.powerOff(machine);
        await faults.powerOn(machine);
      });
      return lab.inject({ kind: "panic", machine });
    case "reset":
      return lab.inject({ kind: "reset", machine });
    default:
      return unreachable(deed);
  }
}

function insideName(deed: InsideDeed): string {
  return `undo ${deed}`;
}

async function inside({ settings, undo, scene, observer }: Parts, deed: InsideDeed, machine: string): Promise<void> {
  const { world } = settings;
  const { script, undo: back, undoneWhereServed, timeoutMs } = INSIDE_SCRIPTS[deed];
  const volume = world.spec?.fileservers.find(({ name }) => name === scene.target.name)?.volumes[0]?.name ?? "data";
  const runOn = async (where: string, text: string): Promise<void> => {
    const words = [scene.target.name, volume, String(Math.round(world.clock.wallMs() / 1000))];
    await runScript(world.machines, where, text, words, timeoutMs);
  };
  world.progress(`${machine}: ${deed}`);
  if (back !== undefined) {
    undo.set(insideName(deed), async () => {
      const last = observer.samples.at(-1);
      const server = last === undefined ? undefined : serverOf(last);
      await runOn(undoneWhereServed === true ? (server ?? machine) : machine, back);
    });
  }
  await runOn(machine, script);
}

async function undoNamed({ undo }: Parts, name: string): Promise<void> {
  const deed = undo.get(name);
  undo.delete(name);
  await deed?.();
}

async function asOperator(parts: Parts, deed: "move" | "move-during-move" | "standby"): Promise<void> {
  const { settings, undo, scene } = parts;
  const { mover, progress, clock } = settings.world;
  const { name } = scene.target;
  const from = await servingNow(parts);
  const to = otherNode(settings.nodes, from);
  if (deed === "move") return void (await mover.move(name, to));
  if (deed === "standby") {
    if (mover.standby === undefined || mover.unstandby === undefined)
      throw new Fault({ kind: "invalid", code: "no-standby", what: "this system has no standby" });
    undo.set(`unstandby ${from}`, async () => mover.unstandby?.(from));
    return mover.standby(from);
  }
  const first = mover.move(name, to).then(() => "done", messageOf);
  await clock.sleep(SECOND_MOVE_AFTER_MS * settings.timeScale);
  const second = mover.move(name, from).then(() => "done", messageOf);
  const [one, two] = await Promise.all([first, second]);
  progress(`the first move: ${one}; the second one: ${two}`);
  if (one === "done" || two === "done") return;
  throw new Fault({ code: "neither-move", what: `neither move was done: ${one}; ${two}` });
}

async function servingNow({ scene, observer }: Parts): Promise<string> {
  const found = await observer.until((server) => server !== undefined, 10_000);
  return (found === undefined ? undefined : serverOf(found)) ?? scene.serving;
}

async function expectServed({ settings, scene, observer }: Parts, by: ServedBy, timeoutMs: number): Promise<void> {
  const fits = (server: string | undefined): boolean =>
    server !== undefined && (by === "any" || (server === scene.serving) === (by === "same"));
  const askedMs = settings.world.clock.monotonicMs();
  const found = await observer.until(fits, timeoutMs);
  if (found !== undefined) return;
  const last = observer.samples.at(-1);
  const server = last === undefined || last.atMs < askedMs ? undefined : serverOf(last);
  const reasons = await settings.world.mover.whyNotServed?.(scene.target.name).catch(() => []);
  settings.reasons(reasons ?? []);
  const told = reasons === undefined || reasons.length === 0 ? "no reason is shown" : reasons.join("; ");
  throw new Fault({
    code: "not-served",
    what:
      server === undefined
        ? `nobody serves ${scene.target.name} after ${Math.round(timeoutMs / 1000)} s: ${told}`
        : `${server} serves ${scene.target.name}, which was served by ${scene.serving}: expected was ${by}`,
  });
}

const DAEMONS_INTERVAL_MS = 2_000;
const DAEMONS_TIMEOUT_MS = 30_000;

async function expectDaemons(parts: Parts, timeoutMs: number): Promise<void> {
  const { machines, clock } = parts.settings.world;
  const { name } = parts.scene.target;
  let missing = "unknown";
  const bound = { what: "its daemons", timeoutMs, intervalMs: DAEMONS_INTERVAL_MS };
  const whole = await waitFor(clock, bound, async () => {
    try {
      const node = await servingNow(parts);
      missing = (await runScript(machines, node, MISSING_DAEMONS_SCRIPT, [name], DAEMONS_TIMEOUT_MS)).trim();
    } catch (error) {
      missing = messageOf(error);
    }
    return missing === "" ? true : undefined;
  });
  if (whole === true) return;
  const what = `${name} was not repaired within ${Math.round(timeoutMs / 1000)} s: ${missing.replaceAll("\n", ", ")}`;
  throw new Fault({ code: "not-repaired", what });
}

/** Whoever served is gone, and nobody may follow. */
async function expectNobody({ settings, scene, observer }: Parts, durationMs: number): Promise<void> {
  const found = await observer.until((server) => server !== undefined, durationMs);
  const server = found === undefined ? undefined : serverOf(found);
  if (server !== undefined)
    throw new Fault({ code: "served-unfenced", what: `${server} took ${scene.target.name} over, which it must not` });
  const reasons = (await settings.world.mover.whyNotServed?.(scene.target.name)) ?? [];
  settings.reasons(reasons);
  if (reasons.length === 0)
    throw new Fault({ code: "no-reason", what: `nobody serves ${scene.target.name}, and status does not say why` });
}
