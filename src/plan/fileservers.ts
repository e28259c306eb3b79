/** What is done to fileservers: decided one by one from where each is, then put in an order that is safe for all. */
import { deviceName } from "../model/device.ts";
import type { NodeObservation } from "../model/observed.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { sameFace, withDirector } from "./directors.ts";
import { fileserverChange } from "./changes.ts";
import { nodeObstacle } from "./nodes.ts";
import type { Effect, FileserverAction, MoveAction, Note } from "./plan.ts";
import type { World } from "./world.ts";

export interface FileserverPlan {
  /** Releases, before nodes get the new spec. */
  readonly before: readonly FileserverAction[];
  /** Everything else, by the new spec. */
  readonly after: readonly (FileserverAction | MoveAction)[];
  readonly effects: readonly Effect[];
  readonly blocked: readonly Note[];
  readonly notes: readonly Note[];
}

/** Where a fileserver is. */
type Place =
  | { readonly at: "serving"; readonly node: NodeObservation }
  | { readonly at: "nowhere" }
  | { readonly at: "unsure"; readonly note: Note };

interface Subject {
  readonly name: string;
  readonly wanted: FileserverSpec | undefined;
  readonly installed: FileserverSpec | undefined;
  readonly place: Place;
}

export function planFileservers(world: World): FileserverPlan {
  const subjects = subjectsOf(world);
  const load = new Map<string, number>(world.nodes.map((node) => [node.node, 0]));
  for (const { place, wanted } of subjects) {
    if (place.at === "serving" && wanted !== undefined) load.set(place.node.node, (load.get(place.node.node) ?? 0) + 1);
  }
  const plans = subjects.map((subject) => planOne(world, subjects, load, subject));
  return {
    before: plans.flatMap((plan) => plan.before),
    after: plans.flatMap((plan) => plan.after),
    effects: plans.flatMap((plan) => plan.effects),
    blocked: plans.flatMap((plan) => plan.blocked),
    notes: plans.flatMap((plan) => plan.notes),
  };
}

/** Those of the spec in its order, then those that exist and are no longer wanted. */
function subjectsOf(world: World): readonly Subject[] {
  const wanted = new Map<string, FileserverSpec>(world.desired.fileservers.map((each) => [each.name, each]));
  const seen = [...world.nodes, ...world.strangers].flatMap((node) =>
    node.fileservers.known ? node.fileservers.value.map((each) => each.name) : [],
  );
  const names = new Set([...wanted.keys(), ...world.installed.keys(), ...seen]);
  return [...names].map((name) => ({
    name,
    wanted: wanted.get(name),
    installed: world.installed.get(name),
    place: placeOf(world, name),
  }));
}

const UNSETTLED = { "taking-over": "being taken over", releasing: "being released", partial: "half there" } as const;

function placeOf(world: World, name: string): Place {
  const serving: NodeObservation[] = [];
  const blind = world.forgotten.filter((node) => !world.down.has(node)).map((node) => `${node} (it was not looked at)`);
  for (const node of [...world.nodes, ...world.strangers]) {
    const obstacle = nodeObstacle(world, node);
    if (obstacle !== undefined && world.down.has(node.node)) continue;
    if (obstacle !== undefined || !node.fileservers.known) {
      blind.push(`${node.node} (${obstacle ?? (node.fileservers.known ? "" : node.fileservers.why)})`);
      continue;
    }
    const state = node.fileservers.value.find((each) => each.name === name)?.state ?? "absent";
    if (state === "serving") serving.push(node);
    if (state === "unknown") blind.push(`${node.node} (its agent could not look)`);
    if (state === "taking-over" || state === "releasing" || state === "partial") {
      const what = `${name} is ${UNSETTLED[state]} on ${node.node}`;
      const remedy =
        state === "partial"
          ? `look at holdfast status; the next takeover or release there completes or undoes it`
          : "wait for it to end, and plan again";
      return { at: "unsure", note: { code: "not-settled", about: name, what, remedy } };
    }
  }
  const [first, second] = serving;
  if (first !== undefined && second !== undefined) {
    const what = `${name} is served by ${first.node} and by ${second.node} at once, which destroys its volumes`;
    const remedy = "power one of the two nodes off now, then check the file systems";
    return { at: "unsure", note: { code: "served-twice", about: name, what, remedy } };
  }
  if (first !== undefined) return { at: "serving", node: first };
  if (blind.length === 0) return { at: "nowhere" };
  const what = `${name} may be served by ${blind.join(", ")}, and a second server would destroy its volumes`;
  return {
    at: "unsure",
    note: { code: "place-unknown", about: name, what, remedy: "make every node reachable and plan again" },
  };
}

const NOTHING: FileserverPlan = { before: [], after: [], effects: [], blocked: [], notes: [] };

function effect(name: string, feel: Effect["feel"], more: Partial<Effect> = {}): Effect {
  return { fileserver: name, feel, changes: [], losses: [], ...more };
}

function planOne(
  world: World,
  subjects: readonly Subject[],
  load: Map<string, number>,
  subject: Subject,
): FileserverPlan {
  const { name, wanted, place } = subject;
  if (place.at === "unsure") {
    return { ...NOTHING, effects: [effect(name, "unknown")], blocked: [place.note] };
  }
  if (wanted === undefined) return place.at === "serving" ? planRemoval(name, place.node) : NOTHING;
  const holder = deviceHolder(subjects, subject);
  if (holder !== undefined && holder.place.at === "unsure") {
    const what = `${name} needs a device of ${holder.name}, to which nothing can be done now`;
    const note: Note = { code: "device-held", about: name, what, remedy: `settle ${holder.name} first` };
    return { ...NOTHING, effects: [effect(name, "unknown")], blocked: [note] };
  }
  return place.at === "nowhere"
    ? planStart(world, load, wanted)
    : planServing(world, subjects, load, subject, wanted, place.node);
}

function planRemoval(name: string, node: NodeObservation): FileserverPlan {
  const losses = ["its clients lose it; its data stays on the volumes"];
  return {
    ...NOTHING,
    before: [{ kind: "release", fileserver: name, node: node.node, because: "the spec no longer has it" }],
    effects: [effect(name, "ends", { losses })],
  };
}

function planStart(world: World, load: Map<string, number>, wanted: FileserverSpec): FileserverPlan {
  // Pacemaker decides where fileservers run.
  if (world.desired.cluster.engine === "pacemaker") return { ...NOTHING, effects: [effect(wanted.name, "begins")] };
  const node = target(world, load, wanted);
  if (node === undefined)
    return { ...NOTHING, effects: [effect(wanted.name, "unknown")], blocked: [noNode(wanted.name)] };
  return {
    ...NOTHING,
    after: [{ kind: "takeover", fileserver: wanted.name, node, because: "no node serves it" }],
    effects: [effect(wanted.name, "begins")],
  };
}

function planServing(
  world: World,
  subjects: readonly Subject[],
  load: Map<string, number>,
  subject: Subject,
  wanted: FileserverSpec,
  node: NodeObservation,
): FileserverPlan {
  const { name, installed } = subject;
  const change =
    installed === undefined
      ? { impact: "restart" as const, changes: ["everything"], losses: [] }
      : withDirector(
          fileserverChange(installed, wanted),
          sameFace(name, world.installedDirectors.get(name) ?? [], world.desired.directors),
        );
  const leaving = world.strangers.includes(node);
  const needed = leaving || subjects.some((other) => deviceHolder(subjects, other)?.name === name);
  const because = `${change.changes.join(", ")} changed`;
  // The agent of a new spec does not know what it would have to release of the old one.
  const renewed = change.impact === "restart" && change.changes.some((key) => key !== "nfs");
  if (leaving || (needed && change.impact === "restart") || renewed) {
    const to = leaving ? target(world, load, wanted) : node.node;
    if (to === undefined) return { ...NOTHING, effects: [effect(name, "unknown")], blocked: [noNode(name)] };
    const why = leaving
      ? `the spec no longer has ${node.node}`
      : needed
        ? "another fileserver takes one of its devices"
        : because;
    const effects = [effect(name, "pause", { changes: change.changes, losses: change.losses })];
    // Pacemaker moves what a node carries that leaves it in good order.
    if (leaving && change.impact !== "restart" && world.desired.cluster.engine === "pacemaker") {
      return { ...NOTHING, effects };
    }
    if (leaving && change.impact !== "restart") {
      return { ...NOTHING, after: [{ kind: "move", fileserver: name, node: node.node, to, because: why }], effects };
    }
    return {
      ...NOTHING,
      before: [{ kind: "release", fileserver: name, node: node.node, because: why }],
      after: [{ kind: "takeover", fileserver: name, node: to, because: why }],
      effects,
    };
  }
  const notes = preferenceNotes(wanted, node.node);
  const effects = [
    effect(name, change.impact === "restart" ? "pause" : "nothing", { changes: change.changes, losses: change.losses }),
  ];
  if (change.impact === "none") return { ...NOTHING, effects, notes };
  const kind = change.impact === "reload" ? "reload-exports" : "restart";
  return { ...NOTHING, after: [{ kind, fileserver: name, node: node.node, because }], effects, notes };
}

/** The other fileserver that has, by the installed spec, a device or volume group that this one is to have. */
function deviceHolder(subjects: readonly Subject[], subject: Subject): Subject | undefined {
  if (subject.wanted === undefined) return undefined;
  const wanted = new Set(deviceKeys(subject.wanted));
  return subjects.find(
    (other) =>
      other !== subject &&
      other.place.at !== "nowhere" &&
      other.installed !== undefined &&
      deviceKeys(other.installed).some((key) => wanted.has(key)),
  );
}

/** A volume group goes as a whole. */
function deviceKeys(fileserver: FileserverSpec): readonly string[] {
  return fileserver.volumes.map(({ device }) => (device.kind === "lv" ? device.vg : deviceName(device)));
}

/** The preferred node, else the one with the fewest fileservers; only nodes to which something may be done. */
function target(world: World, load: Map<string, number>, wanted: FileserverSpec): string | undefined {
  const able = world.nodes.filter((node) => nodeObstacle(world, node) === undefined).map((node) => node.node);
  const preferred = able.find((node) => node === wanted.placement.prefer);
  const chosen =
    preferred ?? able.reduce<string | undefined>((best, node) => (lighter(load, node, best) ? node : best), undefined);
  if (chosen !== undefined) load.set(chosen, (load.get(chosen) ?? 0) + 1);
  return chosen;
}

function lighter(load: ReadonlyMap<string, number>, node: string, than: string | undefined): boolean {
  return than === undefined || (load.get(node) ?? 0) < (load.get(than) ?? 0);
}

function noNode(name: string): Note {
  return {
    code: "no-node",
    about: name,
    what: `no node of the spec can take ${name} over`,
    remedy: "make a node reachable and plan again",
  };
}

function preferenceNotes(wanted: FileserverSpec, node: string): readonly Note[] {
  const { prefer } = wanted.placement;
  if (prefer === undefined || prefer === node) return [];
  return [
    {
      code: "not-preferred",
      about: wanted.name,
      what: `${wanted.name} is served by ${node} and prefers ${prefer}`,
      remedy: `holdfast move ${wanted.name} ${prefer}, when a pause suits its clients`,
    },
  ];
}
