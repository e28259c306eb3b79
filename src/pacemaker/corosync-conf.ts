/** corosync.conf from the spec, and what is read out of one that is there. */
import type { ClusterSpec } from "../model/spec.ts";
import { consensusMs, DETECTION } from "./detection.ts";

export interface CorosyncChoice {
  /**
   * Multiplies what waits for programs; 1 on real machines. Not the detection: emulation slows processors and not wires,
   * and corosync has real-time priority.
   */
  readonly timeScale: number;
  /** Node ids in force: an id once given stays with its node, because Pacemaker knows nodes by it. */
  readonly nodeIds: ReadonlyMap<string, number>;
}

const HEAD = "# Written by holdfast apply from holdfast.yaml; changes made here are undone by the next one.";

/** The same on every node, byte for byte. */
export function corosyncConf(cluster: ClusterSpec, choice: CorosyncChoice): string {
  const ids = assignNodeIds(
    cluster.nodes.map((node) => node.name),
    choice.nodeIds,
  );
  const { tokenMs } = DETECTION[cluster.detection];
  const sections = [
    section("totem", {
      version: "2",
      cluster_name: cluster.name,
      transport: "knet",
      // Always: an unencrypted ring can be joined by whoever reaches it, and CVE-2025-30472 needs no more than that.
      crypto_cipher: "aes256",
      crypto_hash: "sha256",
      token: String(tokenMs),
      consensus: String(consensusMs(cluster.detection, cluster.nodes.length)),
      // With several links the first that works is used; all of them are watched.
      link_mode: "passive",
    }),
    nodeList(cluster, ids),
    quorum(cluster, choice),
    section("logging", { to_logfile: "no", to_stderr: "no", to_syslog: "yes", timestamp: "hires" }),
  ];
  return `${HEAD}\n${sections.join("\n")}`;
}

function nodeList(cluster: ClusterSpec, ids: ReadonlyMap<string, number>): string {
  const nodes = cluster.nodes.map((node) => {
    const addresses = node.addresses.map((address, link) => [`ring${link}_addr`, address]);
    return block("node", { name: node.name, nodeid: String(ids.get(node.name)), ...Object.fromEntries(addresses) }, 1);
  });
  return `nodelist {\n${nodes.join("")}}\n`;
}

/** Of corosync-qdevice(8); under emulation its answers take longer too. */
const QDEVICE_TIMEOUT_MS = 10_000;
const QDEVICE_SYNC_TIMEOUT_MS = 30_000;

function quorum(cluster: ClusterSpec, choice: CorosyncChoice): string {
  const provider = "  provider: corosync_votequorum\n";
  if (cluster.witness !== undefined) {
    const { timeScale } = choice;
    const net = block("net", { host: cluster.witness, algorithm: "ffsplit", tls: "required" }, 2);
    const device = [
      "  device {\n",
      "    model: net\n",
      "    votes: 1\n",
      `    timeout: ${Math.round(QDEVICE_TIMEOUT_MS * timeScale)}\n`,
      `    sync_timeout: ${Math.round(QDEVICE_SYNC_TIMEOUT_MS * timeScale)}\n`,
      net,
      "  }\n",
    ];
    return `quorum {\n${provider}${device.join("")}}\n`;
  }
  if (cluster.nodes.length !== 2) return `quorum {\n${provider}}\n`;
  // One vote is enough for the two, but a node that comes up alone waits for the other: it cannot know who serves.
  return `quorum {\n${provider}  two_node: 1\n  wait_for_all: 1\n}\n`;
}

function section(name: string, entries: Readonly<Record<string, string>>): string {
  return block(name, entries, 0);
}

function block(name: string, entries: Readonly<Record<string, string>>, depth: number): string {
  const indent = "  ".repeat(depth);
  const lines = Object.entries(entries).map(([key, value]) => `${indent}  ${key}: ${value}\n`);
  return `${indent}${name} {\n${lines.join("")}${indent}}\n`;
}

/** Every node's id: the one that it has, else the smallest that no node has. Ids are 1 and more (corosync.conf(5)). */
export function assignNodeIds(
  names: readonly string[],
  existing: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const ids = new Map<string, number>();
  const taken = new Set(names.flatMap((name) => existing.get(name) ?? []));
  let next = 1;
  for (const name of names) {
    const kept = existing.get(name);
    if (kept !== undefined) {
      ids.set(name, kept);
      continue;
    }
    while (taken.has(next)) next += 1;
    taken.add(next);
    ids.set(name, next);
  }
  return ids;
}

export interface FoundCorosyncConf {
  readonly clusterName: string | undefined;
  readonly nodeIds: ReadonlyMap<string, number>;
  /** The example that Debian's package brings: one node at the loopback address, and no key. */
  readonly stock: boolean;
}

/** Reads only what is needed here; a file that cannot be read so has no name and no nodes. */
export function readCorosyncConf(text: string): FoundCorosyncConf {
  const lines = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
  const nodeIds = new Map<string, number>();
  let clusterName: string | undefined;
  let name: string | undefined;
  let id: number | undefined;
  const addresses: string[] = [];
  for (const line of lines) {
    const [, key = "", value = ""] = /^([a-z0-9_]+):\s*(.*)$/.exec(line) ?? [];
    if (key === "cluster_name") clusterName = value;
    if (key === "name") name = value;
    if (key === "nodeid") id = Number(value);
    if (/^ring[0-9]+_addr$/.test(key)) addresses.push(value);
    if (/^node\s*\{/.test(line)) [name, id] = [undefined, undefined];
    if (line.endsWith("}") && name !== undefined && id !== undefined && Number.isSafeInteger(id)) {
      nodeIds.set(name, id);
      [name, id] = [undefined, undefined];
    }
  }
  const stock = clusterName === "debian" && addresses.every((address) => address === "127.0.0.1");
  return { clusterName, nodeIds, stock };
}
