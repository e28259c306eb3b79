/** What must hold at every event, and at the end. */
import { isInUse, look, sightingOf } from "./sighting.ts";
import { SILENCE_AFTER_MS } from "./standing.ts";
import { isInGoodStanding, isOpen, isRunning, violate, type SimNode, type World } from "./world.ts";

/**
 * A node that was fenced while it serves finds out at its next look, or, without an answer, after the time after which
 * it silences itself; and the looks are so far apart. For so long two may answer; only one can write.
 */
export const DOUBLE_OPEN_MS_MAX = SILENCE_AFTER_MS + 2 * 250 + 100;
/** From the moment when nothing goes wrong any more: a boot, a fence or two, bounds of steps that hang, and a takeover. */
export const SERVED_WITHIN_MS = 300_000;
/** Served for so long, nothing moves any more. */
const SETTLED_MS = 3_000;

/** @param passedMs since the event before. */
export function checkAlways(world: World, passedMs: number): void {
  let open = 0;
  for (const node of world.nodes) if (isOpen(node)) open += 1;
  if (open < 2) {
    for (const node of world.nodes) node.doubleOpenMs = 0;
    return;
  }
  const openNodes = world.nodes.filter(isOpen);
  const good = openNodes.filter((node) => isInGoodStanding(world, node));
  if (good.length > 1)
    violate(world, "one-address", `${good.map(({ name }) => name).join(" and ")} have the address open`);
  for (const node of openNodes) {
    if (good.includes(node) || !isRunning(node) || node.agent === undefined) continue;
    node.doubleOpenMs += Math.min(passedMs, world.events.nowMs - node.thawedMs);
    world.tally.doubleOpenMs = Math.max(world.tally.doubleOpenMs, node.doubleOpenMs);
    if (node.doubleOpenMs > DOUBLE_OPEN_MS_MAX)
      violate(world, "fenced-means-silent", `${node.name} was fenced and still answers after ${node.doubleOpenMs} ms`);
  }
}

/** The one node that serves, where everything is as it should be in the end. */
export function served(world: World): SimNode | undefined {
  const serving = world.nodes.filter((node) => node.on && look(world, node).state === "serving");
  const [node] = serving;
  const server = node?.site.server;
  if (node === undefined || serving.length > 1 || server === undefined || server.openedMs === undefined)
    return undefined;
  if (world.nodes.some((one) => !one.on || !isIdle(world, one, one === node))) return undefined;
  if (server.v3GraceLasts || server.v4GraceLasts || isNotifying(world, node)) return undefined;
  return world.events.nowMs - Math.max(server.openedMs, world.conditions.healedAtMs) > SETTLED_MS ? node : undefined;
}

/** Somebody who lives is still to be told of the takeover, and is tried again. */
function isNotifying(world: World, { site }: SimNode): boolean {
  if (!site.notifier) return false;
  return [...(site.mounts[0]?.view.retired ?? [])].some((client) => world.clients[client]?.living === true);
}

function isIdle(world: World, node: SimNode, serves: boolean): boolean {
  const { agent, engine } = node;
  if (agent === undefined || agent.running !== undefined || !isInGoodStanding(world, node)) return false;
  if (node.registered.size < world.luns.length || node.commands > 0) return false;
  if (engine.view.size < world.nodes.length || engine.knows[node.index] !== (serves ? "started" : "stopped"))
    return false;
  if (serves) return look(world, node).lacks.length === 0;
  return !isInUse(world, node, agent);
}

/** After everything has healed and come to rest. */
export function checkEnd(world: World, node: SimNode): void {
  const server = node.site.server;
  for (const lun of world.luns) {
    if (lun.holder === undefined) violate(world, "no-orphan", `nobody holds the reservation of ${lun.name}`);
    for (const one of world.nodes)
      if (!lun.keys.has(one.index)) violate(world, "no-orphan", `${one.name} is not registered on ${lun.name}`);
  }
  for (const one of world.nodes) {
    const { mounting } = one.site;
    const seen = sightingOf(one);
    if (one !== node && (mounting > 0 || seen.volumesActive > 0 || seen.volumesMounted > 0))
      violate(world, "no-orphan", `${one.name} has something of the volumes`);
  }
  for (const client of world.clients) {
    const volume = world.volumes[client.index % world.volumes.length];
    const view = node.site.mounts[volume?.index ?? 0]?.view.versions[client.index] ?? 0;
    if (view < client.acknowledged)
      violate(world, "write-kept", `${client.name} was acknowledged version ${client.acknowledged}; ${view} is there`);
    for (const lock of client.locks)
      if (world.held[lock] === client.index && server?.locks.get(lock) !== client.index)
        violate(world, "lock-kept", `${client.name} holds ${lock}, and the server does not know of it`);
    if (client.living && client.unansweredSinceMs !== undefined && world.conditions.healedAtMs > 0) {
      const sinceMs = Math.max(server?.openedMs ?? 0, world.conditions.healedAtMs, client.unansweredSinceMs);
      const waitedMs = world.events.nowMs - sinceMs;
      if (waitedMs > client.restMs + 10_000)
        violate(world, "every-wait-ends", `${client.name} has not been answered for ${waitedMs} ms`);
    }
  }
}
