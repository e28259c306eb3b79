/** The whole of `lab up`: machines, then Holdfast in them, then the cluster that was asked for. */
import { messageOf } from "../base/fault.ts";
import { currentBundle, deployBundle, type Bundle } from "./bundle.ts";
import { setUpHoldfast } from "./cluster.ts";
import type { LabPaths } from "./paths.ts";
import { isStock } from "./stock-cluster.ts";
import { setUpStock } from "./stock.ts";
import { labUp, type UpChoice, type UpReport } from "./up.ts";
import type { LabWorld } from "./world.ts";

export interface BringUpReport extends UpReport {
  /** Machines that got a new bundle. */
  readonly deployed: readonly string[];
}

export async function bringUp(
  world: LabWorld,
  paths: LabPaths,
  name: string,
  choice: UpChoice,
  makeBundle: () => Promise<Bundle> = currentBundle,
): Promise<BringUpReport> {
  // Made while the machines boot.
  const bundling = makeBundle().then(
    (bundle) => ({ bundle }),
    (error: unknown) => ({ error }),
  );
  const report = await labUp(world, paths, name, choice);
  const bundled = await bundling;
  if ("error" in bundled) {
    // Machines without Holdfast's cluster are of use without Holdfast in them.
    if (report.state.cluster === "holdfast") throw bundled.error;
    world.progress(`machines keep the Holdfast they have: ${messageOf(bundled.error)}`);
  }
  const names = report.machines.map((machine) => machine.name);
  const deployed = "bundle" in bundled ? await deployBundle(world, paths, names, bundled.bundle) : [];
  if (deployed.length > 0) world.progress(`bundle put into ${deployed.join(", ")}`);
  const { state } = report;
  if (state.cluster === "holdfast") await setUpHoldfast(world, paths, state, deployed);
  if (isStock(state.cluster)) await setUpStock(world, paths, state, state.cluster);
  return { ...report, deployed };
}

/** `lab deploy`: the machines that are running get what the sources say now. */
export async function redeploy(
  world: LabWorld,
  paths: LabPaths,
  state: UpReport["state"],
  machines: readonly string[],
): Promise<readonly string[]> {
  const deployed = await deployBundle(world, paths, machines, await currentBundle());
  if (state.cluster === "holdfast") await setUpHoldfast(world, paths, state, deployed);
  return deployed;
}
