/** A drill's hands on a stock cluster: moves as its administrator makes them, and where its service is as it says itself. */
import { Fault, messageOf } from "../base/fault.ts";
import { clockOffsetMs } from "../drill/clocks.ts";
import type { Machines, Mover, Progress } from "../drill/ports.ts";
import { lastTakeover, moveTimeline, parseActions, type Action } from "../drill/stock-actions.ts";
import { STOCK_ADDRESS_RESOURCE, STOCK_GROUP } from "../lab/stock-cluster.ts";
import { parseClusterState, placeOf, type ClusterState } from "../pacemaker/monitor.ts";
import { systemClock, waitFor } from "../system/clock.ts";
import type { Timeline } from "../wire/timeline.ts";

export interface StockSettings {
  readonly machines: Machines;
  readonly nodes: readonly string[];
  readonly progress: Progress;
}

const LOOK_TIMEOUT_MS = 30_000;
const LOOK_INTERVAL_MS = 2_000;
/** Every operation of the group may take three minutes (src/lab/stock-cluster.ts). */
const MOVE_TIMEOUT_MS = 900_000;
const JOURNAL_TIMEOUT_MS = 60_000;
/** Where the group begins, with and without a port block. */
const GROUP_FIRST = ["PortBlock", "VG"];

export function stockMoverOf(settings: StockSettings): Mover {
  return {
    serving: (fileserver) => serving(settings, fileserver),
    move: (fileserver, node) => move(settings, fileserver, node),
    clusterTroubles: () => stockTroubles(settings),
    lastTakeover: async (fileserver, node) =>
      lastTakeover(fileserver, node, GROUP_FIRST, await actionsOf(settings, node)),
    whyNotServed: async () => [describe(await stateOf(settings))],
  };
}

async function serving(settings: StockSettings, fileserver: string): Promise<string> {
  const node = servingIn(await stateOf(settings));
  if (node !== undefined) return node;
  throw new Fault({
    code: "served-nowhere",
    what: `${fileserver} is served by none of ${settings.nodes.join(", ")}`,
    remedy: "look on a node at crm_mon -1 -r -f",
  });
}

/** Where the address is, if the node that has it is a member that anybody knows something of. */
function servingIn(state: ClusterState): string | undefined {
  const name = placeOf(state, STOCK_ADDRESS_RESOURCE);
  const node = state.nodes.find((one) => one.name === name);
  return node?.online === true && !node.unclean ? name : undefined;
}

/** As the first node that answers sees it. */
async function stateOf({ machines, nodes }: StockSettings): Promise<ClusterState> {
  const said: string[] = [];
  for (const node of nodes) {
    try {
      const argv = ["crm_mon", "--one-shot", "--inactive", "--output-as=xml"];
      const { status, stdout, stderr } = await machines.exec(node, argv, { timeoutMs: LOOK_TIMEOUT_MS });
      const state = status === 0 ? parseClusterState(stdout) : undefined;
      // Of a node that has just started and knows nothing, another one may know more.
      if (state?.nodes.some((one) => one.online) === true) return state;
      said.push(`${node}: ${stderr.trim() || "knows of no node that is online"}`);
    } catch (error) {
      said.push(`${node}: ${messageOf(error)}`);
    }
  }
  throw new Fault({ code: "stock-cluster-silent", what: `no node says how the cluster is: ${said.join("; ")}` });
}

const MOVE_SCRIPT = `set -eu
date +%s%N
crm_resource --resource "$1" --move --node "$2" >&2
crm_resource --wait >&2
`;
/** Or the group could never go back to where it came from. */
const CLEAR_SCRIPT = `crm_resource --resource "$1" --clear >&2`;

/** Resolves when the address is on the target; the constraint that a move leaves is taken away again. */
async function move(settings: StockSettings, fileserver: string, target: string): Promise<Timeline> {
  const { machines, nodes, progress } = settings;
  const from = await serving(settings, fileserver);
  const options = { timeoutMs: MOVE_TIMEOUT_MS, input: MOVE_SCRIPT };
  const words = ["sh", "-s", "--", STOCK_GROUP, target];
  const { status, stdout, stderr } = await machines.exec(from, words, options);
  try {
    if (status !== 0) throw moveFailed(target, stderr);
    const bound = { what: "the address", timeoutMs: MOVE_TIMEOUT_MS, intervalMs: LOOK_INTERVAL_MS };
    const state = await waitFor(systemClock, bound, async () => {
      const now = await stateOf(settings);
      return servingIn(now) === target ? now : undefined;
    });
    if (state === undefined) throw moveFailed(target, describe(await stateOf(settings)));
  } finally {
    const cleared = await machines.exec(from, ["sh", "-s", "--", STOCK_GROUP], {
      timeoutMs: LOOK_TIMEOUT_MS * 2,
      input: CLEAR_SCRIPT,
    });
    if (cleared.status !== 0) progress(`${from}: the move's constraint stays: ${cleared.stderr.trim()}`);
  }
  const startedAtMs = Number(stdout.trim().split("\n")[0]) / 1_000_000;
  const others = nodes.filter((node) => node !== from);
  const offsets = await Promise.all(
    others.map(async (node) => [node, (await clockOffsetMs(machines, from, node)) ?? 0] as const),
  );
  const actions = (await Promise.all(nodes.map((node) => actionsOf(settings, node)))).flat();
  return moveTimeline(fileserver, target, startedAtMs, actions, new Map(offsets));
}

function moveFailed(target: string, said: string): Fault {
  return new Fault({ code: "stock-move-failed", what: `crm_resource --move to ${target} failed: ${said.trim()}` });
}

/** Those of the newest hour; a node that cannot be asked did nothing that can be told. */
async function actionsOf({ machines, progress }: StockSettings, node: string): Promise<readonly Action[]> {
  const argv = ["journalctl", "-b", "--no-pager", "-o", "short-unix", "-n", "3000", "-u", "pacemaker"];
  try {
    const { stdout } = await machines.exec(node, argv, { timeoutMs: JOURNAL_TIMEOUT_MS });
    return parseActions(stdout, node);
  } catch (error) {
    progress(`${node}: its journal could not be read: ${messageOf(error)}`);
    return [];
  }
}

/** What an administrator would have to see to before the cluster is whole. */
export async function stockTroubles(settings: StockSettings): Promise<readonly string[]> {
  return troublesIn(await stateOf(settings), settings.nodes);
}

export function troublesIn(state: ClusterState, nodes: readonly string[]): readonly string[] {
  const { resources, quorum } = state;
  return [
    ...(quorum ? [] : ["the cluster has no quorum"]),
    ...nodes.flatMap((name) => {
      const node = state.nodes.find((one) => one.name === name);
      if (node === undefined) return [`${name} is not in the cluster`];
      if (node.unclean) return [`${name} is unclean`];
      return node.online && !node.pending && !node.standby ? [] : [`${name} is no member that could serve`];
    }),
    ...resources.flatMap(({ id, active, failed, blocked }) => {
      if (blocked) return [`${id} is blocked`];
      return active && !failed ? [] : [`${id} ${failed ? "has failed" : "is not started"}`];
    }),
  ];
}

function describe({ nodes, resources, failures }: ClusterState): string {
  return [
    ...nodes.map(
      ({ name, online, unclean }) => `${name} ${online ? "online" : "offline"}${unclean ? ", unclean" : ""}`,
    ),
    ...resources.map(({ id, role, nodes: at }) => `${id} ${role}${at.length === 0 ? "" : ` on ${at.join(" and ")}`}`),
    ...failures.map(({ resource, task, node, reason }) => `${resource} ${task} on ${node}: ${reason}`),
  ].join("; ");
}
