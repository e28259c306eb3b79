/** The cluster as a whole: its secret, its services, Pacemaker's configuration. */
import type { Design, PacemakerDesign } from "./design.ts";
import type { Action, ClusterAction, Note } from "./plan.ts";
import { nodeObstacle } from "./nodes.ts";
import { systemOf } from "./system.ts";
import type { World } from "./world.ts";

export interface ClusterPlan {
  /** When every node has its files, before the cluster starts. */
  readonly before: readonly ClusterAction[];
  readonly start: readonly ClusterAction[];
  /** When it runs. */
  readonly after: readonly ClusterAction[];
  readonly blocked: readonly Note[];
  readonly notes: readonly Note[];
}

const NOTHING: ClusterPlan = { before: [], start: [], after: [], blocked: [], notes: [] };

/** @param prepare what is done to the nodes before: a new corosync.conf has to be taken over by a running cluster. */
export function planCluster(world: World, design: Design, prepare: readonly Action[]): ClusterPlan {
  const { pacemaker } = design;
  if (pacemaker === undefined) return NOTHING;
  const blocks = [...foreignBlocks(world, pacemaker), ...authkeyBlocks(world), ...cibBlocks(world, pacemaker)];
  const nodes = world.nodes.flatMap((node) => {
    const system = systemOf(world, node);
    return system === undefined ? [] : [{ name: node.node, system }];
  });
  const [first] = nodes;
  if (first === undefined || blocks.some((note) => note.code !== "cib-unknown")) return { ...NOTHING, blocked: blocks };
  const runs = (system: (typeof nodes)[number]["system"]): boolean =>
    ["corosync.service", "pacemaker.service"].every((unit) => {
      const found = system.units.get(unit);
      return found?.active === true && found.enabled;
    });
  const start = nodes
    .filter(({ name, system }) => !runs(system) || pacemaker.stockNodes.has(name))
    .map(({ name }): ClusterAction => ({
      kind: "start-cluster",
      node: name,
      because: "corosync or pacemaker does not run",
    }));
  const running = nodes.filter(
    ({ name, system }) => system.units.get("corosync.service")?.active === true && !pacemaker.stockNodes.has(name),
  );
  const conf = prepare.some((action) => action.kind === "write-file" && action.file === "corosync-conf");
  const reload: readonly ClusterAction[] =
    conf && running[0] !== undefined
      ? [{ kind: "reload-corosync", node: running[0].name, because: "corosync.conf changes" }]
      : [];
  return {
    before: [...keyActions(nodes), ...witnessActions(world, pacemaker, nodes, first.name)],
    start: [...reload, ...start],
    after: [
      ...forgetActions(world, running[0]?.name),
      ...cibActions(pacemaker, running[0]?.name ?? first.name, start.length > 0),
      ...settle(world, first.name),
    ],
    blocked: blocks,
    notes: heldBackNotes(world),
  };
}

/** Whoever stopped it wants it so; a plan does not start it behind their back. */
function heldBackNotes(world: World): readonly Note[] {
  return world.desired.fileservers
    .filter(({ name }) => world.heldBack.has(name))
    .map(({ name }) => ({
      code: "held-back",
      about: name,
      what: `somebody keeps ${name} stopped, or out of the cluster's hands`,
      remedy: `crm_resource --resource ${name} --meta --delete-parameter target-role, or --delete-parameter is-managed`,
    }));
}

type KnownNode = { readonly name: string; readonly system: NonNullable<ReturnType<typeof systemOf>> };

function keyActions(nodes: readonly KnownNode[]): readonly ClusterAction[] {
  const owner = nodes.find(({ system }) => system.authkeyDigest !== undefined);
  const to = nodes.filter(({ system }) => system.authkeyDigest === undefined).map(({ name }) => name);
  const [first] = to;
  if (first === undefined) return [];
  return [
    {
      kind: "share-authkey",
      node: first,
      from: owner?.name,
      to,
      because: owner === undefined ? "there is none yet" : `the one of ${owner.name} is the cluster's`,
    },
  ];
}

function witnessActions(
  world: World,
  pacemaker: PacemakerDesign,
  nodes: readonly KnownNode[],
  first: string,
): readonly ClusterAction[] {
  const { witness } = pacemaker;
  if (witness === undefined) return [];
  const missing = nodes.filter(({ system }) => system.units.get("corosync-qdevice.service")?.enabled !== true);
  if (missing.length === 0) return [];
  const because = `${missing.map(({ name }) => name).join(", ")} ${missing.length === 1 ? "does" : "do"} not know it yet`;
  return [{ kind: "set-up-witness", node: first, witness, because: `${because} (${world.desired.cluster.name})` }];
}

function cibActions(pacemaker: PacemakerDesign, node: string, starts: boolean): readonly ClusterAction[] {
  const { cib } = pacemaker;
  if (!cib.known) {
    // A cluster that is about to start says what it has when it runs; the executor looks then.
    if (!starts) return [];
    return [{ kind: "write-cib", node, differences: [], because: "the cluster is only about to start" }];
  }
  if (!cib.value.ok || cib.value.differences.length === 0) return [];
  const { differences } = cib.value;
  const because = `${differences.length} ${differences.length === 1 ? "thing differs" : "things differ"} from the spec`;
  return [{ kind: "write-cib", node, differences, because }];
}

function forgetActions(world: World, node: string | undefined): readonly ClusterAction[] {
  if (node === undefined) return [];
  return world.strangers
    .filter((stranger) => nodeObstacle(world, stranger) === undefined || world.down.has(stranger.node))
    .map((stranger) => ({ kind: "forget-node", node, gone: stranger.node, because: "the spec no longer has it" }));
}

/** Waiting is an action too: whoever applied wants to know that it serves. */
function settle(world: World, node: string): readonly ClusterAction[] {
  const waiting = world.desired.fileservers
    .map((each) => each.name as string)
    .filter((name) => !isServed(world, name) && !world.heldBack.has(name));
  if (waiting.length === 0) return [];
  return [{ kind: "settle", node, fileservers: waiting, because: "the cluster brings them into service" }];
}

function isServed(world: World, name: string): boolean {
  return world.nodes.some(
    (node) =>
      node.fileservers.known && node.fileservers.value.some((each) => each.name === name && each.state === "serving"),
  );
}

function foreignBlocks(world: World, pacemaker: PacemakerDesign): readonly Note[] {
  const own = world.desired.cluster.name;
  return [...pacemaker.foundClusters]
    .filter(([, name]) => name !== own)
    .map(([node, name]) => ({
      code: "cluster-differs" as const,
      about: node,
      what: `${node} belongs to the corosync cluster ${name}`,
      remedy: `take it out of that cluster first, or import it: holdfast import pacemaker`,
    }));
}

/** Two keys are two clusters, whoever wrote them. */
function authkeyBlocks(world: World): readonly Note[] {
  const keys = new Map<string, string[]>();
  for (const node of world.nodes) {
    const digest = systemOf(world, node)?.authkeyDigest;
    if (digest !== undefined) keys.set(digest, [...(keys.get(digest) ?? []), node.node]);
  }
  if (keys.size < 2) return [];
  const groups = [...keys.values()].map((nodes) => nodes.join(", "));
  return [
    {
      code: "authkey-differs",
      about: world.desired.cluster.name,
      what: `the nodes have different /etc/corosync/authkey: ${groups.join(" / ")}`,
      remedy: "remove the wrong one where corosync does not run, and apply again",
    },
  ];
}

function cibBlocks(world: World, pacemaker: PacemakerDesign): readonly Note[] {
  const { cib } = pacemaker;
  const about = world.desired.cluster.name;
  if (cib.known) {
    if (cib.value.ok) return [];
    return cib.value.refusals.map(({ what, remedy }) => ({ code: "cib-refused" as const, about, what, remedy }));
  }
  const running = world.nodes.some((node) => {
    return systemOf(world, node)?.units.get("pacemaker.service")?.active === true;
  });
  if (!running) return [];
  const what = `what Pacemaker is configured for is not known: ${cib.why}`;
  return [{ code: "cib-unknown", about, what, remedy: "look on a node: crm_mon -1; then apply again" }];
}
