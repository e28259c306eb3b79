/**
 * The stock cluster, as text: what a distribution's guide to an NFS service with Pacemaker builds, from the same
 * machines and the same LUN. `stock` has the defaults of its parts; `stock-tuned` has what an expert would set, with
 * parts that Debian has. Pure.
 */
import { addressOf, NETWORK_DEVICE, type MachinePlan } from "./plan.ts";
import type { Suite } from "./recipe.ts";

export const STOCK_CLUSTERS = ["stock", "stock-tuned"] as const;
export type StockCluster = (typeof STOCK_CLUSTERS)[number];

export function isStock(cluster: string): cluster is StockCluster {
  return STOCK_CLUSTERS.some((one) => one === cluster);
}

/** The group's resource by which clients reach it, and the group itself. */
export const STOCK_ADDRESS_RESOURCE = "VIP";
export const STOCK_GROUP = "nfs";
/** As Holdfast's lab has it, so that clients mount the same. */
export const STOCK_EXPORT_PATH = "/export/data";
export const STOCK_FILESERVER = "home";
const SERVER_SCOPE = "home.lab.example";
const FILESERVER_NUMBER = 50;

/** By-id name of LUN 0, which every node sees (src/lab/recipe-files.ts, TARGET_SCRIPT). */
export const STOCK_DEVICE = `/dev/disk/by-id/wwn-0x60014050${"0".repeat(24)}`;

/** Of the image's own repository. portblock, of which the tuned one makes use, drives iptables. */
export function stockPackages(cluster: StockCluster, suite: Suite): readonly string[] {
  const fence = suite === "bookworm" ? "fence-agents" : "fence-agents-scsi";
  const common = ["corosync", "pacemaker", "pacemaker-cli-utils", fence];
  return cluster === "stock-tuned" ? [...common, "iptables"] : common;
}

/** What an expert dares; corosync's own default is 3000 (corosync.conf(5)). */
const TUNED_TOKEN_MS = 1000;

/** As pcs writes it: knet, encrypted, no line for the token where it is left at its default. */
export function stockCorosyncConf(cluster: StockCluster, name: string, nodes: readonly MachinePlan[]): string {
  const nodeBlocks = nodes.flatMap(({ name: node, number }, index) => [
    "    node {",
    `        ring0_addr: ${addressOf("lan", number)}`,
    `        ring1_addr: ${addressOf("ring", number)}`,
    `        name: ${node}`,
    `        nodeid: ${index + 1}`,
    "    }",
  ]);
  const lines = [
    "totem {",
    "    version: 2",
    `    cluster_name: ${name}`,
    "    transport: knet",
    "    crypto_cipher: aes256",
    "    crypto_hash: sha256",
    ...(cluster === "stock-tuned" ? [`    token: ${TUNED_TOKEN_MS}`] : []),
    "}",
    "nodelist {",
    ...nodeBlocks,
    "}",
    "quorum {",
    "    provider: corosync_votequorum",
    ...(nodes.length === 2 ? ["    two_node: 1"] : []),
    "}",
    "logging {",
    "    to_logfile: no",
    "    to_syslog: yes",
    "    timestamp: on",
    "}",
  ];
  return `${lines.join("\n")}\n`;
}

/** 10 s is the least that the kernel takes (fs/nfsd/nfsctl.c, __write_leasetime). rpc.nfsd(8) sets lockd's grace too. */
const TUNED_LEASE_S = 10;

/** A file of /etc/nfs.conf.d; undefined where the defaults (90 s) are left. */
export function stockNfsConf(cluster: StockCluster): string | undefined {
  if (cluster === "stock") return undefined;
  return `[nfsd]\nlease-time=${TUNED_LEASE_S}\ngrace-time=${TUNED_LEASE_S}\n`;
}

interface Primitive {
  readonly id: string;
  readonly type: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly monitorS?: number;
}

/** Saved connections are as old as the last monitor. */
const TUNED_MONITOR_S = 5;
const MONITOR_S = 10;
/** Long for what the agents' own metadata propose: an emulated machine starts processes 10 to 30 times slower. */
const OPERATION_TIMEOUT_S = 180;
const MONITOR_TIMEOUT_S = 120;

const NFS_PORT = "2049";
const TICKLE_DIRECTORY = `${STOCK_EXPORT_PATH}/tickle`;

/** The group in the order of its start. */
function groupOf(cluster: StockCluster): readonly Primitive[] {
  const isTuned = cluster === "stock-tuned";
  const address = addressOf("lan", FILESERVER_NUMBER);
  const port = { ip: address, portno: NFS_PORT, protocol: "tcp" };
  const group: readonly Primitive[] = [
    { id: "VG", type: "LVM-activate", attributes: { vgname: STOCK_FILESERVER, vg_access_mode: "system_id" } },
    {
      id: "SharedFS",
      type: "Filesystem",
      attributes: { device: `/dev/${STOCK_FILESERVER}/data`, directory: STOCK_EXPORT_PATH, fstype: "xfs" },
    },
    {
      id: "NFSService",
      type: "nfsserver",
      attributes: {
        nfs_shared_infodir: `${STOCK_EXPORT_PATH}/nfsinfo`,
        nfs_no_notify: "true",
        // Without it clients of NFSv4.1 and later do not reclaim: each node would be another server (RFC 8881, 8.4.2.1).
        ...(isTuned ? { nfs_server_scope: SERVER_SCOPE } : {}),
      },
    },
    {
      id: "NFSExport",
      type: "exportfs",
      attributes: {
        clientspec: "10.77.0.0/24",
        options: "rw,sync,no_root_squash",
        directory: STOCK_EXPORT_PATH,
        fsid: "1",
        ...(isTuned ? { wait_for_leasetime_on_stop: "false", unlock_on_stop: "1" } : {}),
      },
    },
    {
      id: STOCK_ADDRESS_RESOURCE,
      type: "IPaddr2",
      attributes: { ip: address, cidr_netmask: "24", ...(isTuned ? { nic: NETWORK_DEVICE.lan } : {}) },
    },
    { id: "NFSNotify", type: "nfsnotify", attributes: { source_host: address } },
  ];
  if (!isTuned) return group;
  return [
    { id: "PortBlock", type: "portblock", attributes: { ...port, action: "block" } },
    ...group,
    {
      id: "PortUnblock",
      type: "portblock",
      attributes: { ...port, action: "unblock", tickle_dir: TICKLE_DIRECTORY },
      monitorS: TUNED_MONITOR_S,
    },
  ];
}

/** The `resources` section of the CIB. */
export function stockResourcesXml(cluster: StockCluster, nodes: readonly MachinePlan[]): string {
  const hosts = nodes.map(({ name }) => name).join(" ");
  const lines = [
    "<resources>",
    '  <primitive id="scsi" class="stonith" type="fence_scsi">',
    ...attributeLines("scsi", { pcmk_host_list: hosts, devices: STOCK_DEVICE }),
    '    <meta_attributes id="scsi-ma"><nvpair id="scsi-provides" name="provides" value="unfencing"/></meta_attributes>',
    "    <operations>",
    `      <op id="scsi-start" name="start" interval="0" timeout="${MONITOR_TIMEOUT_S}s"/>`,
    `      <op id="scsi-monitor" name="monitor" interval="60s" timeout="${MONITOR_TIMEOUT_S}s"/>`,
    "    </operations>",
    "  </primitive>",
    `  <group id="${STOCK_GROUP}">`,
    ...groupOf(cluster).flatMap(primitiveLines),
    "  </group>",
    "</resources>",
  ];
  return `${lines.join("\n")}\n`;
}

function primitiveLines({ id, type, attributes, monitorS = MONITOR_S }: Primitive): readonly string[] {
  return [
    `  <primitive id="${id}" class="ocf" provider="heartbeat" type="${type}">`,
    ...attributeLines(id, attributes),
    "    <operations>",
    ...["start", "stop"].map(
      (name) => `      <op id="${id}-${name}" name="${name}" interval="0" timeout="${OPERATION_TIMEOUT_S}s"/>`,
    ),
    `      <op id="${id}-monitor" name="monitor" interval="${monitorS}s" timeout="${MONITOR_TIMEOUT_S}s"/>`,
    "    </operations>",
    "  </primitive>",
  ];
}

/** Values here are words and paths: none has to be escaped. */
function attributeLines(id: string, attributes: Readonly<Record<string, string>>): readonly string[] {
  const pairs = Object.entries(attributes).map(
    ([name, value]) => `      <nvpair id="${id}-${name}" name="${name}" value="${value}"/>`,
  );
  return [`    <instance_attributes id="${id}-ia">`, ...pairs, "    </instance_attributes>"];
}
