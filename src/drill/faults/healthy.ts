/** Between two faults the cluster has to be whole again: every node up, a good member, and ready to take over. */
import { Fault, messageOf } from "../../base/fault.ts";
import { waitFor } from "../../system/clock.ts";
import type { World } from "../measure.ts";
import type { MachineFaults } from "../ports.ts";

export interface HealthSettings {
  readonly world: World;
  readonly faults: MachineFaults;
  readonly nodes: readonly string[];
  readonly fileserver: string;
  /** Failed actions are forgotten: their cause is gone. */
  readonly clearsFailures: boolean;
}

/** A node that was fenced boots, joins, and makes its warm standby: minutes under emulation. */
const HEALTHY_TIMEOUT_MS = 600_000;
const LOOK_INTERVAL_MS = 4_000;
const CLEAR_TIMEOUT_MS = 60_000;
const ALIVE_TIMEOUT_MS = 10_000;

export async function waitHealthy(settings: HealthSettings): Promise<void> {
  const { world, nodes, fileserver, clearsFailures } = settings;
  const { mover, clock, machines, progress } = world;
  let troubles: readonly string[] = [];
  let cleared = false;
  const bound = { what: "a whole cluster", timeoutMs: HEALTHY_TIMEOUT_MS, intervalMs: LOOK_INTERVAL_MS };
  const whole = await waitFor(clock, bound, async () => {
    troubles = await troublesOf(settings);
    if (troubles.length > 0) return undefined;
    if (clearsFailures && !cleared) {
      cleared = true;
      const [first = ""] = nodes;
      await machines.exec(first, ["crm_resource", "--cleanup"], { timeoutMs: CLEAR_TIMEOUT_MS });
      return undefined;
    }
    return true;
  });
  if (whole === undefined)
    throw new Fault({
      code: "cluster-not-whole",
      what: `the cluster is not whole ${HEALTHY_TIMEOUT_MS / 1000} s after the fault was mended: ${troubles.join("; ")}`,
    });
  const serving = await mover.serving(fileserver);
  for (const node of nodes) if (node !== serving) await mover.waitWarm?.(fileserver, node);
  progress(`the cluster is whole: ${serving} serves ${fileserver}`);
}

async function troublesOf({ world, faults, nodes, fileserver }: HealthSettings): Promise<readonly string[]> {
  const { machines, mover } = world;
  const asked = nodes.map(async (node): Promise<readonly string[]> => {
    try {
      // A fence may have left it without power; nobody else switches it on.
      if (faults.lab !== undefined && !(await faults.lab.isOn(node))) await faults.powerOn(node);
      const { status } = await machines.exec(node, ["true"], { timeoutMs: ALIVE_TIMEOUT_MS });
      return status === 0 ? [] : [`${node} cannot be asked`];
    } catch (error) {
      return [messageOf(error)];
    }
  });
  const silent = (await Promise.all(asked)).flat();
  if (silent.length > 0) return silent;
  try {
    await mover.serving(fileserver);
    return (await mover.clusterTroubles?.()) ?? [];
  } catch (error) {
    return [messageOf(error)];
  }
}
