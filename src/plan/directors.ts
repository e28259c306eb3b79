/** Directors: what their machines need, and what a fileserver that gets or loses one means for its clients. */
import type { DirectorObservation } from "../model/observed.ts";
import type { SystemObservation } from "../model/system-observed.ts";
import { canonicalJson, fingerprint } from "../model/derive.ts";
import type { DirectorSpec } from "../model/director-spec.ts";
import type { FileserverChange } from "./changes.ts";
import type { Design, DesignedDirector } from "./design.ts";
import { shortGeneration } from "./nodes.ts";
import type { Action, DirectorAction, Note } from "./plan.ts";
import { programAction, systemBlocks, systemOf } from "./system.ts";
import type { World } from "./world.ts";

export interface DirectorPlan {
  /** Nobody notices it. */
  readonly prepare: readonly Action[];
  /** From here on the machines have the addresses of what they stand before: after releases, before takeovers. */
  readonly start: readonly Action[];
  readonly blocked: readonly Note[];
  readonly notes: readonly Note[];
}

/** What the units of a director's machine were last started by. */
export const DIRECTOR_STAMP_PATH = "/etc/holdfast/director.started";
/** Its time scale. */
export const DIRECTOR_ENV_PATH = "/etc/holdfast/director.env";

interface Machine {
  readonly designed: DesignedDirector;
  readonly system: SystemObservation;
  readonly generation: string | undefined;
}

/** @param design absent: only agents and specs are looked at, and nothing is planned for directors. */
export function planDirectors(
  world: World,
  design: Design | undefined,
  observed: readonly DirectorObservation[],
): DirectorPlan {
  const all = design?.directors ?? [];
  const left = leftBlocks(world);
  if (design === undefined || all.length === 0) return { prepare: [], start: [], blocked: left, notes: [] };
  const unknown = all.flatMap(({ machine }): readonly Note[] => unknownBlocks(machine, observed));
  const known = all.flatMap((designed): readonly Machine[] => {
    const found = observed.find(({ machine }) => machine === designed.machine);
    if (found?.system.known !== true || systemBlocks(designed.machine, found.system.value).length > 0) return [];
    return [{ designed, system: found.system.value, generation: found.generation }];
  });
  const secrets = planSecrets(world, known);
  const prepare = known.flatMap((machine) => prepareActions(world, design, machine));
  const start = known.flatMap((machine) => startActions(world, design, machine, secrets.actions));
  return {
    prepare: [...prepare, ...secrets.actions],
    start,
    blocked: [...left, ...unknown, ...secrets.blocked],
    notes: restartNotes(world, known, start),
  };
}

function unknownBlocks(machine: string, observed: readonly DirectorObservation[]): readonly Note[] {
  const found = observed.find((each) => each.machine === machine);
  if (found?.system.known === true) return systemBlocks(machine, found.system.value);
  const why = found?.system.known === false ? found.system.why : "it was not looked at";
  const what = `nothing is done to ${machine}, a director: ${why}`;
  return [{ code: "director-unknown", about: machine, what, remedy: "make it reachable and plan again" }];
}

/** A machine that keeps an address would answer for it beside the fileserver: the takeover would be refused. */
function leftBlocks(world: World): readonly Note[] {
  const wanted = new Set(world.desired.directors.flatMap(({ machines }) => machines.map(({ name }) => name)));
  const installed = [...world.installedDirectors.values()].flat();
  const gone = new Set(
    installed.flatMap(({ machines }) => machines.map(({ name }) => name)).filter((name) => !wanted.has(name)),
  );
  return [...gone].map((machine) => ({
    code: "director-left",
    about: machine,
    what: `${machine} is a director by the nodes' spec and not by the new one; a plan does not take directors down`,
    remedy: `take it down first, when a pause suits its clients: ssh ${machine} systemctl disable --now keepalived holdfast-director; then write the spec to the nodes with --partly`,
  }));
}

function prepareActions(world: World, design: Design, { designed, system, generation }: Machine): readonly Action[] {
  const { machine: node } = designed;
  const actions: Action[] = [];
  const packages = designed.packages.filter((name) => !system.packages.has(name));
  if (packages.length > 0)
    actions.push({ kind: "install-packages", node, packages, because: `${packages.length} are missing` });
  const program = programAction(node, system, design.version);
  if (program !== undefined) actions.push(program);
  const files = designed.files.filter(({ path, text }) => system.files.get(path) !== text).map(({ path }) => path);
  if (files.length > 0) {
    const because = files.every((path) => !system.files.has(path)) ? "there is none yet" : "something differs";
    actions.push({ kind: "write-director-files", node, files, because });
  }
  if (generation !== world.generation) {
    const because = generation === undefined ? "there is none yet" : `it has generation ${shortGeneration(generation)}`;
    actions.push({ kind: "write-spec", node, because });
  }
  return actions;
}

/**
 * Units begin anew where they do not run, or run by something else than what is to be there: each start leaves on the
 * machine what it was by, so that an apply that was killed before it is seen.
 */
function startActions(
  world: World,
  design: Design,
  machine: Machine,
  secrets: readonly Action[],
): readonly DirectorAction[] {
  const { designed, system } = machine;
  const { machine: node, units } = designed;
  const stamps = units.map((unit, index) => `${unit} ${stampOf(world, design, machine, unit, index === 0)}`);
  const before = (system.files.get(DIRECTOR_STAMP_PATH) ?? "").split("\n");
  const newSecret = secrets.some((action) => action.kind === "share-director-secret" && action.to.includes(node));
  const restart = units.filter((unit, index) => {
    const runs = system.units.get(unit)?.active === true;
    return !runs || !before.includes(stamps[index] ?? "") || (index === 0 && newSecret);
  });
  const disabled = units.some((unit) => system.units.get(unit)?.enabled !== true);
  if (restart.length === 0 && !disabled) return [];
  const because = restart.length === 0 ? "they would not start with the machine" : startReason(restart, system);
  return [{ kind: "start-director", node, units, restart, stamp: `${stamps.join("\n")}\n`, because }];
}

function startReason(restart: readonly string[], system: SystemObservation): string {
  const off = restart.filter((unit) => system.units.get(unit)?.active !== true);
  return off.length === restart.length ? "they do not run" : `${restart.join(" and ")} ran by something else`;
}

/** What the unit runs by, in short. Holdfast's own unit is the first; a time scale that nobody asks for stays as it is. */
function stampOf(world: World, design: Design, { designed, system }: Machine, unit: string, own: boolean): string {
  const files = designed.files.filter((file) => file.unit === unit).map(({ path, text }) => [path, text]);
  if (!own) return shortGeneration(fingerprint({ files }));
  const kept = system.files.get(DIRECTOR_ENV_PATH);
  const env =
    files.some(([path]) => path === DIRECTOR_ENV_PATH) || kept === undefined ? [] : [[DIRECTOR_ENV_PATH, kept]];
  const { generation } = world;
  return shortGeneration(fingerprint({ files: [...files, ...env], generation, version: design.version }));
}

/** The first unit is Holdfast's own: without it the table stays as it is. Any other one takes the address along. */
function restartNotes(world: World, known: readonly Machine[], start: readonly Action[]): readonly Note[] {
  return start.flatMap((action): readonly Note[] => {
    if (action.kind !== "start-director") return [];
    const found = known.find(({ designed }) => designed.machine === action.node);
    const felt = action.restart.slice(action.restart[0] === action.units[0] ? 1 : 0);
    if (!felt.some((unit) => found?.system.units.get(unit)?.active === true)) return [];
    const services = world.desired.directors.find(({ name }) => name === found?.designed.director)?.services ?? [];
    const names = services.map(({ name }) => name).join(", ");
    const what = `${felt.join(", ")} on ${action.node} begins anew: where it has the addresses, clients of ${names} pause for about a second`;
    return [{ code: "director-restarts", about: action.node, what }];
  });
}

function planSecrets(
  world: World,
  known: readonly Machine[],
): { readonly actions: readonly DirectorAction[]; readonly blocked: readonly Note[] } {
  const files = [...new Set(known.flatMap(({ designed }) => designed.secret ?? []))];
  const nodes = world.nodes.flatMap((node) => {
    const system = systemOf(world, node);
    return system === undefined ? [] : [{ name: node.node, system }];
  });
  const plans = files.map((file) => {
    const machines = known.filter(({ designed }) => designed.secret === file);
    const all = [...nodes, ...machines.map(({ designed, system }) => ({ name: designed.machine, system }))];
    const having = all.flatMap(({ name, system }) => {
      const found = system.sharedSecrets?.get(file);
      return found === undefined ? [] : [{ name, found }];
    });
    if (new Set(having.map(({ found }) => found.digest)).size > 1) {
      const what = `${file} is not the same on ${having.map(({ name }) => name).join(", ")}`;
      const remedy = "remove it where it is wrong, and apply again";
      return { actions: [], blocked: [{ code: "director-secret-differs" as const, about: file, what, remedy }] };
    }
    const to = all.filter(({ system }) => system.sharedSecrets?.get(file)?.private !== true).map(({ name }) => name);
    const [node] = to;
    if (node === undefined) return { actions: [], blocked: [] };
    const from = having[0]?.name;
    const because = from === undefined ? "there is none yet" : "some do not have it, or let others read it";
    return { actions: [{ kind: "share-director-secret" as const, node, file, from, to, because }], blocked: [] };
  });
  return { actions: plans.flatMap(({ actions }) => actions), blocked: plans.flatMap(({ blocked }) => blocked) };
}

/** A fileserver looks the same from its network: the same addresses told to the same neighbours, on every node. */
export function sameFace(fileserver: string, before: readonly DirectorSpec[], after: readonly DirectorSpec[]): boolean {
  return faceOf(fileserver, before) === faceOf(fileserver, after);
}

function faceOf(fileserver: string, directors: readonly DirectorSpec[]): string {
  const service = directors.flatMap(({ services }) => services).find((each) => each.fileserver === fileserver);
  if (service === undefined) return "";
  const servers = service.servers.map(({ name, addresses }) => ({ name, addresses }));
  return canonicalJson({ addresses: service.flow.addresses, servers });
}

/** Its link has to be made anew: clients of a fileserver that gets, loses or changes its director pause once. */
export function withDirector(change: FileserverChange, same: boolean): FileserverChange {
  return same ? change : { ...change, impact: "restart", changes: [...change.changes, "director"] };
}
