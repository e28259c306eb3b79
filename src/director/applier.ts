/**
 * Brings the kernel to where the outlook wants it.
 *
 * Order: flows that nobody serves any more are held first, then the table changes, then flows that somebody serves again
 * are let through. So no packet meets a table that is half changed and gets an answer for it.
 */
import type { ServiceOutlook } from "../balance/outlook.ts";
import { flowRules, serversTakenOut, tableEdits, wantedTable } from "../balance/table.ts";
import { messageOf } from "../base/fault.ts";
import type { DirectorSpec } from "../model/director-spec.ts";
import type { FlowRule, IpvsConnection, IpvsService } from "../model/director-table.ts";
import { flowFilterText } from "../ipvs/flow-filter.ts";
import { applyEdits, loadFilter, readTable, tableDiffers } from "../ipvs/kernel.ts";
import { tickleInput } from "../nfs/tickle.ts";
import type { Clock } from "../system/clock.ts";
import type { Commands } from "../system/commands.ts";

export type Outlooks = ReadonlyMap<string, ServiceOutlook>;

export interface Applier {
  /** Resolves when it is in force. Rejects with a Fault where the kernel refused; the next call begins by looking. */
  apply(outlooks: Outlooks): Promise<void>;
  /** Looks whether what was applied is still there; rejects with the Fault "table-differs" where it is not. */
  verify(outlooks: Outlooks): Promise<void>;
}

export interface ApplierParts {
  readonly director: DirectorSpec;
  readonly commands: Commands;
  readonly clock: Clock;
  readonly timeScale: number;
  readonly readConnections: () => Promise<readonly IpvsConnection[]>;
  readonly log: (line: string) => void;
}

/** More than any director here has; a bound, so that a broken server cannot fill the memory. */
const LOST_CONNECTIONS_MAX = 50_000;
const TICKLE_TIMEOUT_MS = 5000;
/** A client answers a tickle at most every 500 ms per connection (net.ipv4.tcp_invalid_ratelimit): the second one is for lost packets. */
const SECOND_TICKLE_MS = 700;

export function makeApplier(parts: ApplierParts): Applier {
  const { director, commands, log } = parts;
  let inForce: readonly IpvsService[] | undefined;
  let loaded = "";
  let heldBefore: readonly number[] = [];
  /** Connections of servers that were taken out, by the mark of their service, until somebody serves it again. */
  const lost = new Map<number, Map<string, IpvsConnection>>();

  const load = async (rules: readonly FlowRule[]): Promise<void> => {
    const text = flowFilterText(rules);
    if (text === loaded) return;
    await loadFilter(commands, text);
    loaded = text;
    heldBefore = rules.filter(({ held }) => held).map(({ mark }) => mark);
  };

  const remember = async (taken: ReturnType<typeof serversTakenOut>): Promise<void> => {
    if (taken.length === 0 || !director.resets) return;
    // Without the list clients find out by themselves, a little later: no reason not to go on.
    const connections = await parts.readConnections().catch((error: unknown) => {
      log(`the connections could not be read: ${messageOf(error)}`);
      return [];
    });
    for (const { mark, address } of taken) {
      const known = lost.get(mark) ?? new Map<string, IpvsConnection>();
      lost.set(mark, known);
      for (const each of connections) {
        if (known.size >= LOST_CONNECTIONS_MAX) break;
        if (each.protocol !== "tcp" || each.state !== "ESTABLISHED" || each.server.address !== address) continue;
        known.set(`${each.client.address} ${each.client.port} ${each.virtual.address} ${each.virtual.port}`, each);
      }
    }
  };

  const wakeClients = (rules: readonly FlowRule[]): void => {
    for (const { mark } of rules.filter(({ held }) => !held)) {
      const connections = [...(lost.get(mark)?.values() ?? [])];
      lost.delete(mark);
      if (connections.length > 0) void tickle(parts, connections);
    }
  };

  return {
    apply: async (outlooks) => {
      const rules = flowRules(director, outlooks);
      const wanted = wantedTable(director, outlooks);
      try {
        inForce ??= await readTable(commands);
        const edits = tableEdits(inForce, wanted);
        await remember(serversTakenOut(edits));
        await load(rules.map((rule) => ({ ...rule, held: rule.held || heldBefore.includes(rule.mark) })));
        await applyEdits(commands, edits);
        inForce = wanted;
        await load(rules);
      } catch (error) {
        inForce = undefined;
        throw error;
      }
      wakeClients(rules);
    },
    verify: async (outlooks) => {
      const differs = tableEdits(await readTable(commands), wantedTable(director, outlooks)).length > 0;
      if (!differs) return;
      inForce = undefined;
      throw tableDiffers();
    },
  };
}

/** The client answers the tickle, the answer finds no connection here, and the reset makes the client connect again. */
async function tickle(parts: ApplierParts, connections: readonly IpvsConnection[]): Promise<void> {
  const input = tickleInput(
    connections.map(({ client, virtual }) => ({
      localAddress: virtual.address,
      localPort: virtual.port,
      remoteAddress: client.address,
      remotePort: client.port,
    })),
  );
  try {
    for (const waitMs of [0, SECOND_TICKLE_MS]) {
      if (waitMs > 0) await parts.clock.sleep(waitMs);
      await parts.commands.run({ tool: "tickle_tcp", args: ["-n", "1"], timeoutMs: TICKLE_TIMEOUT_MS, input });
    }
    parts.log(`${connections.length} connections of servers that were taken out: their clients were woken`);
  } catch (error) {
    parts.log(`clients could not be woken, they come back by themselves: ${messageOf(error)}`);
  }
}
