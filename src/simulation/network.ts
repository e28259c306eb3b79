/** The clients' network: who is reached at the fileserver's address. */
import type { Client } from "./client.ts";
import { isInGoodStanding, isOpen, type SimNode, type World } from "./world.ts";

/**
 * Where its packets go: the switch knows the port that announced the address last. What a fenced node would still
 * answer until it notices is not modelled; for how long it could is (invariants.ts).
 */
export function servedBy(world: World, client: Client): SimNode | undefined {
  if (client.cut) return undefined;
  let found: SimNode | undefined;
  for (const node of world.nodes) {
    if (!isOpen(node) || node.owner.frozen || node.cuts.lan || !isInGoodStanding(world, node)) continue;
    const server = node.site.server;
    if (server === undefined) continue;
    if ((server.openedMs ?? -1) > (found?.site.server?.openedMs ?? -1)) found = node;
  }
  return found;
}
