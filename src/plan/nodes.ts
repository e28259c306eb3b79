/** What is done to nodes: the agent, its spec, and nodes that leave the cluster. */
import type { NodeObservation } from "../model/observed.ts";
import type { World } from "./world.ts";
import type { NodeAction, Note } from "./plan.ts";

export interface NodeActions {
  /** Programs and specs onto every known node. */
  readonly write: readonly NodeAction[];
  /** Its agent running, by the new spec. */
  readonly run: readonly NodeAction[];
  /** Take out nodes that the spec no longer has; comes last, when nothing of ours runs there any more. */
  readonly retire: readonly NodeAction[];
}

/** Why nothing may be done to the node, or undefined. */
export function nodeObstacle(world: World, node: NodeObservation): string | undefined {
  for (const part of [node.agent, node.spec] as const) if (!part.known) return part.why;
  if (otherCluster(world, node) !== undefined) return "it belongs to another cluster";
  return undefined;
}

function otherCluster(world: World, node: NodeObservation): string | undefined {
  const installed = node.spec.known ? node.spec.value?.spec.cluster.name : undefined;
  return installed === undefined || installed === world.desired.cluster.name ? undefined : installed;
}

/** @param renewed nodes whose agent has to start again for another reason, with that reason. */
export function nodeActions(world: World, renewed: ReadonlyMap<string, string> = new Map()): NodeActions {
  const able = world.nodes.filter((node) => nodeObstacle(world, node) === undefined);
  return {
    write: able.flatMap((node) => writeActions(world, node)),
    run: able.flatMap((node) => runActions(world, node, renewed.get(node.node))),
    retire: world.strangers.flatMap((node) => retireActions(world, node)),
  };
}

function writeActions(world: World, node: NodeObservation): readonly NodeAction[] {
  if (!node.agent.known || !node.spec.known) return [];
  const actions: NodeAction[] = [];
  // Where the whole system was looked at, its program and its unit are actions of their own.
  if (node.agent.value.state === "absent" && node.system === undefined) {
    actions.push({ kind: "install-agent", node: node.node, because: "Holdfast is not installed" });
  }
  const installed = node.spec.value?.generation;
  if (installed !== world.generation) {
    const because = installed === undefined ? "there is none yet" : `it has generation ${shortGeneration(installed)}`;
    actions.push({ kind: "write-spec", node: node.node, because });
  }
  return actions;
}

function runActions(world: World, node: NodeObservation, renewed: string | undefined): readonly NodeAction[] {
  if (!node.agent.known) return [];
  const agent = node.agent.value;
  if (agent.state !== "running") {
    const because = agent.state === "absent" ? "it is new" : "it is not running";
    return [{ kind: "start-agent", node: node.node, because }];
  }
  if (agent.generation === world.generation) {
    return renewed === undefined ? [] : [{ kind: "reload-agent", node: node.node, because: renewed }];
  }
  const because =
    agent.generation === undefined
      ? "the agent has no spec yet"
      : `the agent works by generation ${shortGeneration(agent.generation)}`;
  return [{ kind: "reload-agent", node: node.node, because }];
}

/** Only an agent of ours, with our spec, is retired; a stranger of another cluster is none of our business. */
function retireActions(world: World, node: NodeObservation): readonly NodeAction[] {
  if (nodeObstacle(world, node) !== undefined || !node.spec.known || node.spec.value === undefined) return [];
  return [{ kind: "retire-node", node: node.node, because: "the spec no longer has it" }];
}

export function nodeBlocks(world: World): readonly Note[] {
  return [...world.nodes, ...world.strangers].flatMap((node): readonly Note[] => {
    const other = otherCluster(world, node);
    if (other !== undefined) {
      return [
        {
          code: "other-cluster",
          about: node.node,
          what: `${node.node} belongs to cluster ${other}, so nothing is done to it`,
          remedy: "correct cluster.name or the node's address, or take the node out of the other cluster first",
        },
      ];
    }
    const obstacle = nodeObstacle(world, node);
    if (obstacle === undefined) return [];
    // A node that has left the spec and is known to be down is in nobody's way.
    if (world.strangers.includes(node) && world.down.has(node.node)) return [];
    return [
      {
        code: "node-unknown",
        about: node.node,
        what: `nothing is done to ${node.node}: ${obstacle}`,
        remedy: "make it reachable and plan again",
      },
    ];
  });
}

/** Enough of a generation to tell two apart. */
export function shortGeneration(generation: string): string {
  return generation.slice(0, 8);
}
