/**
 * What the spec means in Pacemaker's configuration: properties, fence devices, one resource per fileserver, places.
 * Ids of ours begin with "holdfast-"; a fileserver's resource has its own name, because that is what operators type.
 */
import type { ClusterSpec, FencingSpec, FileserverSpec, Spec } from "../model/spec.ts";
import { DETECTION } from "./detection.ts";
import { element, type XmlElement } from "./xml.ts";

export interface WantedChoice {
  /** Multiplies every time limit: 1 on real machines, more where machines are emulated. */
  readonly timeScale: number;
  /** Names of the secrets in each secrets file, as the nodes have them; their values are never read. */
  readonly secretNames: ReadonlyMap<string, readonly string[]>;
}

export interface WantedCib {
  readonly properties: readonly Pair[];
  readonly primitives: readonly WantedPrimitive[];
  readonly constraints: readonly XmlElement[];
  readonly levels: readonly XmlElement[];
}

export type Pair = readonly [name: string, value: string];

export interface WantedPrimitive {
  readonly id: string;
  /** For messages, e.g. "fileserver home". */
  readonly called: string;
  readonly agent: { readonly class: string; readonly provider?: string; readonly type: string };
  readonly parameters: readonly Pair[];
  readonly meta: readonly Pair[];
  readonly operations: readonly WantedOperation[];
}

export interface WantedOperation {
  readonly name: string;
  readonly intervalS: number;
  readonly timeoutS: number;
  readonly onFail?: string;
}

export const OWN_PREFIX = "holdfast-";
export const FILESERVER_AGENT = { class: "ocf", provider: "holdfast", type: "fileserver" } as const;

/** Where fenced looks a value up when the configuration has this in its place (cibsecret(8)); the file is root's alone. */
export const SECRET_VALUE = "lrm://";

/** As the resource agent's own metadata advise. */
const START_TIMEOUT_S = 120;
const STOP_TIMEOUT_S = 120;
const MONITOR_TIMEOUT_S = 30;
const FENCE_TIMEOUT_S = 60;
const FENCE_SCSI_TIMEOUT_S = 20;
const FENCE_MONITOR_INTERVAL_S = 60;
/** A power switch takes its time: whoever is to lose has to wait until the other one has done it. */
const POWER_PRIORITY_DELAY_S = 15;
/** After this long a failure is forgotten, and the node may be tried again. */
const FAILURE_TIMEOUT_S = 120;
/** The second failure on one node moves the fileserver to another. */
const MIGRATION_THRESHOLD = 2;
/** A monitor starts a shell and asks over a socket; on emulated nodes it would eat up what they have. */
const MONITOR_SCALE_MAX = 3;

/**
 * Stickiness beats a preference and neighbours, so that nothing moves by itself while it is well; a failback that the
 * spec asks for beats stickiness. All of them are wishes: with one node left it carries everything.
 */
const SCORES = { stickiness: 10_000, prefer: 100, apart: -500, together: 500, failback: 20_000 } as const;

export function wantedCib(spec: Spec, choice: WantedChoice): WantedCib {
  const ways = spec.cluster.fencing.map((way, index) => fenceDevices(spec.cluster, way, index, choice));
  return {
    properties: properties(spec.cluster, choice.timeScale),
    primitives: [...ways.flat(), ...spec.fileservers.map((each) => fileserverPrimitive(spec.cluster, each, choice))],
    constraints: spec.fileservers.flatMap(placementConstraints),
    levels: fencingLevels(spec.cluster, ways),
  };
}

function seconds(value: number): string {
  return `${value}s`;
}

function properties(cluster: ClusterSpec, timeScale: number): readonly Pair[] {
  const scsiOnly = cluster.fencing.every((way) => way.agent === "scsi");
  const delayS = scsiOnly ? DETECTION[cluster.detection].priorityDelayS : POWER_PRIORITY_DELAY_S;
  const timeoutS = (scsiOnly ? FENCE_SCSI_TIMEOUT_S : FENCE_TIMEOUT_S) * Math.max(1, cluster.fencing.length);
  return [
    ["stonith-enabled", "true"],
    ["no-quorum-policy", "stop"],
    // A node that learns that it was fenced must not go on for a moment: pacemakerd restarts the machine.
    ["fence-reaction", "panic"],
    ["priority-fencing-delay", seconds(delayS)],
    ["stonith-timeout", seconds(Math.round(timeoutS * timeScale))],
  ];
}

function fenceDevices(
  cluster: ClusterSpec,
  way: FencingSpec,
  index: number,
  choice: WantedChoice,
): readonly WantedPrimitive[] {
  const before = cluster.fencing.slice(0, index).filter((other) => other.agent === way.agent).length;
  const id = `fence-${way.agent}${before === 0 ? "" : `-${before + 1}`}`;
  const all = cluster.nodes.map((node) => node.name as string);
  if (way.nodes === undefined) return [fenceDevice(id, way, all, way.options, choice)];
  return all.map((node) => fenceDevice(`${id}-${node}`, way, [node], { ...way.options, ...way.nodes?.[node] }, choice));
}

function fenceDevice(
  id: string,
  way: FencingSpec,
  nodes: readonly string[],
  options: Readonly<Record<string, string>>,
  choice: WantedChoice,
): WantedPrimitive {
  const scsi = way.agent === "scsi";
  const timeoutS = Math.round((scsi ? FENCE_SCSI_TIMEOUT_S : FENCE_TIMEOUT_S) * choice.timeScale);
  const actions = ["reboot", "off", "monitor", "status", "list"].map((action): Pair => [
    `pcmk_${action}_timeout`,
    seconds(timeoutS),
  ]);
  const given = new Map<string, string>([
    ["pcmk_host_list", nodes.join(" ")],
    ...(scsi ? ([["pcmk_reboot_action", "off"]] as const) : []),
    ...actions,
    ...Object.entries(options),
    ...secretsOf(way, nodes, choice).map((name): Pair => [name, SECRET_VALUE]),
  ]);
  return {
    id,
    called: scsi ? "fencing by persistent reservations" : `fencing ${id}`,
    agent: { class: "stonith", type: scsi ? "fence_holdfast" : `fence_${way.agent}` },
    parameters: [...given],
    meta: [],
    operations: [{ name: "monitor", intervalS: FENCE_MONITOR_INTERVAL_S, timeoutS }],
  };
}

/** `name` is for all nodes, `NODE.name` for one. */
export function secretsOf(way: FencingSpec, nodes: readonly string[], choice: WantedChoice): readonly string[] {
  if (way.secrets === undefined) return [];
  const [only, ...more] = nodes;
  const names = (choice.secretNames.get(way.secrets) ?? []).flatMap((name) => {
    const dot = name.indexOf(".");
    if (dot < 0) return [name];
    return more.length === 0 && name.slice(0, dot) === only ? [name.slice(dot + 1)] : [];
  });
  return [...new Set(names)];
}

/** Ids of the fence devices that take secrets from a file, with the nodes that each fences. */
export function devicesWithSecrets(
  cluster: ClusterSpec,
): readonly { readonly id: string; readonly file: string; readonly nodes: readonly string[] }[] {
  const nothing: WantedChoice = { timeScale: 1, secretNames: new Map() };
  return cluster.fencing.flatMap((way, index) => {
    const file = way.secrets;
    if (file === undefined) return [];
    return fenceDevices(cluster, way, index, nothing).map((device) => {
      const hosts = device.parameters.find(([name]) => name === "pcmk_host_list")?.[1] ?? "";
      return { id: device.id, file, nodes: hosts.split(" ") };
    });
  });
}

function fileserverPrimitive(cluster: ClusterSpec, fileserver: FileserverSpec, choice: WantedChoice): WantedPrimitive {
  const scaled = (value: number): number => Math.round(value * choice.timeScale);
  const monitorS = (DETECTION[cluster.detection].monitorMs / 1000) * Math.min(choice.timeScale, MONITOR_SCALE_MAX);
  return {
    id: fileserver.name,
    called: `fileserver ${fileserver.name}`,
    agent: FILESERVER_AGENT,
    parameters: [["name", fileserver.name]],
    meta: [
      ["priority", "1"],
      ["resource-stickiness", String(SCORES.stickiness)],
      ["migration-threshold", String(MIGRATION_THRESHOLD)],
      ["failure-timeout", seconds(scaled(FAILURE_TIMEOUT_S))],
    ],
    operations: [
      { name: "start", intervalS: 0, timeoutS: scaled(START_TIMEOUT_S) },
      { name: "stop", intervalS: 0, timeoutS: scaled(STOP_TIMEOUT_S), onFail: "fence" },
      { name: "monitor", intervalS: Math.round(monitorS), timeoutS: scaled(MONITOR_TIMEOUT_S) },
    ],
  };
}

/** A node attribute that the agent of the preferred node sets when the node has been well for as long as the spec says. */
export function healthyAttribute(fileserver: string): string {
  return `${OWN_PREFIX}healthy-${fileserver}`;
}

function placementConstraints(fileserver: FileserverSpec): readonly XmlElement[] {
  const { name, placement } = fileserver;
  const { prefer, failback, apart = [], together = [] } = placement;
  const preferred =
    prefer === undefined
      ? []
      : [
          element("rsc_location", {
            id: `${OWN_PREFIX}prefer-${name}`,
            rsc: name,
            node: prefer,
            score: String(SCORES.prefer),
          }),
        ];
  const back = prefer === undefined || typeof failback === "string" ? [] : [failbackConstraint(name, prefer)];
  const beside = [
    ...apart.map((other) => colocation(name, other, "apart")),
    ...together.map((other) => colocation(name, other, "together")),
  ];
  return [...preferred, ...back, ...beside];
}

function failbackConstraint(name: string, prefer: string): XmlElement {
  const id = `${OWN_PREFIX}failback-${name}`;
  const expression = (suffix: string, attribute: string, value: string): XmlElement =>
    element("expression", { id: `${id}-${suffix}`, attribute, operation: "eq", value });
  return element("rsc_location", { id, rsc: name }, [
    element("rule", { id: `${id}-rule`, score: String(SCORES.failback), "boolean-op": "and" }, [
      expression("node", "#uname", prefer),
      expression("healthy", healthyAttribute(name), "1"),
    ]),
  ]);
}

function colocation(name: string, other: string, kind: "apart" | "together"): XmlElement {
  return element("rsc_colocation", {
    id: `${OWN_PREFIX}${kind}-${name}-${other}`,
    rsc: name,
    "with-rsc": other,
    score: String(SCORES[kind]),
  });
}

/** With one way only Pacemaker needs no levels. */
function fencingLevels(cluster: ClusterSpec, ways: readonly (readonly WantedPrimitive[])[]): readonly XmlElement[] {
  if (ways.length < 2) return [];
  return cluster.nodes.flatMap((node) =>
    ways.map((devices, index) => {
      const device = devices.find((each) => each.id.endsWith(`-${node.name}`)) ?? devices[0];
      return element("fencing-level", {
        id: `${OWN_PREFIX}level-${node.name}-${index + 1}`,
        target: node.name,
        index: String(index + 1),
        devices: device?.id ?? "",
      });
    }),
  );
}

/** Pairs with ids made of the set's, as Pacemaker's own tools make them. */
export function pairElements(setId: string, pairs: readonly Pair[]): readonly XmlElement[] {
  return pairs.map(([name, value]) => element("nvpair", { id: `${setId}-${name}`, name, value }));
}
