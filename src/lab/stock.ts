/** Makes the stock cluster on running machines, for comparison. Each part looks first, so that it can be repeated. */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Fault, messageOf } from "../base/fault.ts";
import { parseClusterState, placeOf, type ClusterState } from "../pacemaker/monitor.ts";
import { waitFor } from "../system/clock.ts";
import { holdfastSpec } from "./cluster-spec.ts";
import type { LabPaths } from "./paths.ts";
import { fileserversOf, planMachines } from "./plan.ts";
import { STOCK_ADDRESS_RESOURCE, STOCK_FILESERVER, type StockCluster } from "./stock-cluster.ts";
import { stockConfigureScript, stockNodeScript, stockVolumeScript } from "./stock-scripts.ts";
import { sshExec } from "./ssh.ts";
import type { LabState } from "./state.ts";
import type { LabWorld } from "./world.ts";

const NODE_TIMEOUT_MS = 600_000;
const VOLUME_TIMEOUT_MS = 180_000;
const CONFIGURE_TIMEOUT_MS = 120_000;
/** Some 40 s under emulation. */
const ONLINE_TIMEOUT_MS = 300_000;
const SERVES_TIMEOUT_MS = 600_000;
const LOOK_INTERVAL_MS = 3_000;
const LOOK_TIMEOUT_MS = 60_000;
const KEY_BYTES = 256;

export async function setUpStock(
  world: LabWorld,
  paths: LabPaths,
  state: LabState,
  cluster: StockCluster,
): Promise<void> {
  const { name, suite, shape } = state;
  const nodes = planMachines(shape).filter(({ role }) => role === "node");
  if (nodes.length !== 2) {
    throw new Fault({
      kind: "invalid",
      code: "lab-stock-nodes",
      what: `--cluster ${cluster} is for two nodes, not ${nodes.length}`,
      remedy: "leave --nodes away",
    });
  }
  const first = nodes[0]?.name ?? "n1";
  await writeFile(paths.spec, stockSpec(state, paths));
  const onNode = async (node: string, input: string, timeoutMs: number): Promise<void> => {
    const result = await sshExec(world.commands, paths.sshConfig, node, ["sh", "-s"], { input, timeoutMs });
    for (const line of result.stdout.trim().split("\n")) if (line !== "") world.progress(`${node}: ${line}`);
    if (result.status === 0) return;
    throw new Fault({
      code: "lab-stock-failed",
      what: `the stock cluster could not be made on ${node}: ${result.stderr.trim()}`,
      remedy: `look at it: holdfast lab ssh --name ${name} ${node}`,
    });
  };
  await onNode(first, stockVolumeScript(), VOLUME_TIMEOUT_MS);
  const key = await authkey(paths);
  const script = stockNodeScript({ cluster, suite, name, nodes }, key);
  await Promise.all(nodes.map((node) => onNode(node.name, script, NODE_TIMEOUT_MS)));
  const names = nodes.map((node) => node.name);
  await waitCluster(world, paths, first, `${names.join(" and ")} online`, ONLINE_TIMEOUT_MS, (now) =>
    names.every((node) => now.nodes.some((one) => one.name === node && one.online && !one.pending)),
  );
  await onNode(first, stockConfigureScript(cluster, nodes), CONFIGURE_TIMEOUT_MS);
  const served = await waitCluster(
    world,
    paths,
    first,
    `${STOCK_FILESERVER} served`,
    SERVES_TIMEOUT_MS,
    (now) => placeOf(now, STOCK_ADDRESS_RESOURCE) !== undefined && now.resources.every(({ active }) => active),
  );
  world.progress(`${STOCK_FILESERVER} is served by ${placeOf(served, STOCK_ADDRESS_RESOURCE)}`);
}

/** What it serves, for the drills: the same fileserver as in Holdfast's lab. */
function stockSpec(state: LabState, paths: LabPaths): string {
  const nodes = planMachines(state.shape).filter(({ role }) => role === "node");
  const own = fileserversOf(nodes.length).filter(({ name }) => name === STOCK_FILESERVER);
  const spec = holdfastSpec(state.name, nodes, paths.sshConfig, "pacemaker", own);
  return `# What the stock cluster serves, for drills. Not to be applied: the cluster was not made by Holdfast.\n${spec}`;
}

/** Made once for a lab. */
async function authkey(paths: LabPaths): Promise<string> {
  const file = join(paths.folder, "corosync-authkey");
  if (!existsSync(file)) await writeFile(file, `${randomBytes(KEY_BYTES).toString("base64")}\n`, { mode: 0o600 });
  return (await readFile(file, "utf8")).trim();
}

async function waitCluster(
  world: LabWorld,
  paths: LabPaths,
  node: string,
  what: string,
  timeoutMs: number,
  done: (state: ClusterState) => boolean,
): Promise<ClusterState> {
  let last = "nothing was answered";
  const bound = { what, timeoutMs, intervalMs: LOOK_INTERVAL_MS };
  const found = await waitFor(world.clock, bound, async () => {
    try {
      const state = await stockState(world, paths, node);
      last = describe(state);
      return done(state) ? state : undefined;
    } catch (error) {
      last = messageOf(error);
      return undefined;
    }
  });
  if (found !== undefined) return found;
  throw new Fault({
    code: "lab-stock-not-ready",
    what: `waited ${timeoutMs / 1000} s for ${what}; last seen: ${last}`,
    remedy: `look at it on ${node}: crm_mon -1 -r -f`,
  });
}

async function stockState(world: LabWorld, paths: LabPaths, node: string): Promise<ClusterState> {
  const options = { timeoutMs: LOOK_TIMEOUT_MS };
  const argv = ["crm_mon", "--one-shot", "--inactive", "--output-as=xml"];
  const { status, stdout, stderr } = await sshExec(world.commands, paths.sshConfig, node, argv, options);
  if (status !== 0) throw new Fault({ code: "lab-stock-silent", what: `crm_mon on ${node}: ${stderr.trim()}` });
  return parseClusterState(stdout);
}

function describe({ nodes, resources, failures }: ClusterState): string {
  return [
    ...nodes.map(
      ({ name, online, unclean }) => `${name} ${online ? "online" : "offline"}${unclean ? ", unclean" : ""}`,
    ),
    ...resources.map(({ id, role }) => `${id} ${role}`),
    ...failures.map(({ resource, task, node, reason }) => `${resource} ${task} on ${node}: ${reason}`),
  ].join("; ");
}
