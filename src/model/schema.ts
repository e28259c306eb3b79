/**
 * The shape of a spec as it is written: keys, types, ranges, and the checks of single values. What concerns two keys at
 * once is in `rules.ts`. The descriptions are what editors show (`holdfast schema`) and what messages repeat.
 */
import { z } from "zod";
import {
  checkAddress,
  checkAgent,
  checkCidr,
  checkDevice,
  checkDiskPath,
  checkDuration,
  checkFile,
  checkFsid,
  checkHost,
  checkHostname,
  checkInterface,
  checkMac,
  checkPath,
  checkText,
  checkWatchdog,
} from "./leaf.ts";
import { checkClientMatch, checkExportOption } from "./export-clients.ts";
import { directorSchema } from "./director-schema.ts";
import { name, oneOrMore, text, whole } from "./schema-parts.ts";

export const API_VERSION = "holdfast/v1";

export const NODES_MAX = 16;
export const FILESERVERS_MAX = 64;
const LINKS_MAX = 8;
const VOLUMES_MAX = 32;
const DISKS_MAX = 32;
const EXPORTS_MAX = 256;
const CLIENTS_MAX = 256;
const OPTIONS_MAX = 32;
const FENCING_MAX = 8;
const DIRECTORS_MAX = 16;
const THREADS_MAX = 1024;

/** fs/nfsd/nfsctl.c, __nfsd4_write_time: the kernel takes lease and grace times of 10 to 3600 s only. */
const NFSD_TIME_MIN_S = 10;
const NFSD_TIME_MAX_S = 3600;
const FAILBACK_MIN_S = 10;
const FAILBACK_MAX_S = 7 * 86_400;

function seconds(description: string, example: string) {
  const inRange = checkDuration(NFSD_TIME_MIN_S, NFSD_TIME_MAX_S, "the kernel takes 10 to 3600 seconds only");
  return z
    .union([
      text(inRange, { description, examples: [example] }),
      whole(NFSD_TIME_MIN_S, NFSD_TIME_MAX_S, `${description} (seconds)`, 20),
    ])
    .meta({ description, examples: [example] });
}

const node = z
  .strictObject({
    name: name("the node's name, as `hostname -s` prints it there", "n1"),
    addresses: z
      .array(text(checkAddress, { description: "an address of the node", examples: ["10.77.0.11"] }))
      .min(1)
      .max(LINKS_MAX)
      .meta({
        description: "the node's addresses, one per cluster link, without prefix length",
        examples: [["10.77.0.11", "10.78.0.11"]],
      }),
  })
  .meta({ description: "a machine that can carry fileservers" });

function fencingOptions(description: string) {
  return z
    .record(z.string().regex(/^[a-z][a-z0-9_-]{0,63}$/), text(checkText, { description: "its value", examples: ["1"] }))
    .meta({ description, examples: [{ ip: "10.0.0.5" }] });
}

const fencing = z
  .strictObject({
    agent: text(checkAgent, {
      description: "scsi (persistent reservations on the volumes' LUNs) or any fence agent, without fence_",
      examples: ["scsi"],
    }),
    options: fencingOptions("options of the fence agent, as texts").optional(),
    nodes: z
      .record(z.string(), fencingOptions("options for this node"))
      .optional()
      .meta({
        description: "options that differ between the nodes, by the node's name",
        examples: [{ n1: { ip: "10.0.0.5" }, n2: { ip: "10.0.0.6" } }],
      }),
    secrets: text(checkFile, {
      description: "a file on the nodes that holds passwords as option=value lines; never write them here",
      examples: ["/etc/holdfast/fencing.secret"],
    }).optional(),
  })
  .meta({ description: "how to make sure that a node can no longer write or answer" });

const cluster = z
  .strictObject({
    name: name("the cluster's name; fsids, MAC addresses and reservation keys are derived from it", "lab"),
    engine: z.enum(["pacemaker", "standalone"]).meta({
      description: "who decides where fileservers run: pacemaker, or standalone (nobody: they move when told to)",
      examples: ["standalone"],
    }),
    nodes: z
      .array(node)
      .min(1)
      .max(NODES_MAX)
      .meta({
        description: `the machines that can carry fileservers, 1 to ${NODES_MAX}`,
        examples: [[{ name: "n1", addresses: ["10.77.0.11"] }]],
      }),
    witness: text(checkHost, {
      description: "host of a corosync-qnetd third vote",
      examples: ["10.77.0.9"],
    }).optional(),
    fencing: z
      .array(fencing)
      .max(FENCING_MAX)
      .optional()
      .meta({
        description: "ways to fence a node, tried in order; default persistent reservations (scsi)",
        examples: [[{ agent: "scsi" }]],
      }),
    detection: z
      .enum(["patient", "balanced", "fast"])
      .optional()
      .meta({ description: "named sets of corosync timings", examples: ["balanced"], default: "balanced" }),
    watchdog: text(checkWatchdog, {
      description: "a watchdog device that ends a node whose agent hangs; default none",
      examples: ["/dev/watchdog"],
    }).optional(),
    ssh: z
      .strictObject({
        config: text(checkFile, {
          description: "OpenSSH client configuration that leads to the nodes by their names; relative to the spec file",
          examples: ["ssh_config"],
        }).optional(),
      })
      .optional()
      .meta({ description: "how an admin's machine reaches the nodes", examples: [{ config: "ssh_config" }] }),
  })
  .meta({ description: "the nodes and who governs them" });

const volume = z
  .strictObject({
    name: name("the volume's name, unique in its fileserver", "data"),
    device: text(checkDevice, {
      description: "VG/LV, or a disk's path below /dev/disk/by-id/; it belongs to this fileserver alone",
      examples: ["home/data", "/dev/disk/by-id/wwn-0x6001405abcdef0001"],
    }),
    filesystem: z.enum(["xfs", "ext4"]).meta({ description: "the file system on the device", examples: ["xfs"] }),
    disks: oneOrMore(
      text(checkDiskPath, { description: "a disk", examples: ["/dev/disk/by-id/wwn-0x6001405abcdef0001"] }),
      DISKS_MAX,
      "the disks that apply makes the volume group of, if it does not exist yet",
      ["/dev/disk/by-id/wwn-0x6001405abcdef0001"],
    ).optional(),
    mount: text(checkPath, {
      description: "where clients see the volume; default /export/NAME",
      examples: ["/export/data"],
    }).optional(),
  })
  .meta({ description: "a block device with a file system" });

const client = z
  .strictObject({
    match: text(checkClientMatch, {
      description: "who: address, network, host name, *.domain, @netgroup, or * for everybody",
      examples: ["10.77.0.0/24"],
    }),
    options: z
      .array(text(checkExportOption, { description: "an option of exports(5)", examples: ["rw"] }))
      .max(OPTIONS_MAX)
      .optional()
      .meta({
        description: "options of exports(5); ro, sync, root_squash, no_subtree_check and sec=sys unless said otherwise",
        examples: [["rw"]],
      }),
  })
  .meta({ description: "who may mount, and how" });

const exported = z
  .strictObject({
    path: text(checkPath, {
      description: "the path that clients mount: the volume's mount path or a folder below it",
      examples: ["/export/data"],
    }),
    volume: name("the volume that the path lies on", "data"),
    fsid: text(checkFsid, {
      description: "UUID in clients' file handles; derived and stable unless given",
      examples: ["6f1c3c9e-6f0e-4c2b-9d54-0b8f7d0f2a11"],
    }).optional(),
    clients: z
      .array(client)
      .min(1)
      .max(CLIENTS_MAX)
      .meta({
        description: "who may mount it, and how",
        examples: [[{ match: "10.77.0.0/24", options: ["rw"] }]],
      }),
  })
  .meta({ description: "a path of a volume given to clients" });

const failback = z
  .union([
    z.enum(["manual", "never"]).meta({ description: "manual or never", examples: ["manual"] }),
    z.strictObject({
      afterHealthyFor: text(checkDuration(FAILBACK_MIN_S, FAILBACK_MAX_S, "a node just back may fail again"), {
        description: "how long the preferred node must have been healthy",
        examples: ["10m"],
      }),
    }),
  ])
  .meta({
    description: "when the fileserver goes back to its preferred node: manual, never or { afterHealthyFor: 10m }",
    examples: ["manual"],
    default: "manual",
  });

function fileserverNames(description: string) {
  return z
    .array(name("a fileserver's name", "media"))
    .min(1)
    .max(FILESERVERS_MAX)
    .meta({ description, examples: [["media"]] });
}

const port = (description: string, example: number) => whole(1, 65_535, description, example).optional();

const nfs = z
  .strictObject({
    threads: whole(1, THREADS_MAX, "kernel server threads; default 16", 16).optional(),
    lease: seconds("NFSv4 lease; default 15s", "15s").optional(),
    grace: seconds("grace period after a takeover, for v3 and v4; default 20s", "20s").optional(),
    courtesy: seconds("how long an NFSv4 client that fell silent may keep its locks; default 1h", "1h").optional(),
    allowV40: z
      .boolean()
      .optional()
      .meta({
        description: "serve NFSv4.0 too: every takeover then lasts its whole grace; default false",
        examples: [false],
      }),
    ports: z
      .strictObject({
        mountd: port("default 20048", 20_048),
        statd: port("default 662", 662),
        lockd: port("default 4001; the same for all fileservers", 4001),
      })
      .optional()
      .meta({ description: "fixed ports of the side services, for firewalls", examples: [{ mountd: 20_048 }] }),
  })
  .meta({ description: "settings of the NFS server" });

const fileserver = z
  .strictObject({
    name: name("the fileserver's name", "home"),
    hostname: text(checkHostname, {
      description: "the name by which clients mount: NSM and NFSv4 identity, the same on every node",
      examples: ["home.example.com"],
    }),
    address: oneOrMore(
      text(checkCidr, { description: "an address with its prefix length", examples: ["10.77.0.50/24"] }),
      2,
      "the address that moves with the fileserver, with its prefix length: one, or one IPv4 and one IPv6",
      ["10.77.0.50/24"],
    ),
    gateway: oneOrMore(
      text(checkAddress, { description: "a router's address", examples: ["10.77.0.1"] }),
      2,
      "the default router, for clients in other networks: one, or one IPv4 and one IPv6",
      ["10.77.0.1"],
    ).optional(),
    interface: text(checkInterface, {
      description: "the nodes' interface to the clients",
      examples: ["eth1"],
      pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$",
    }),
    link: z
      .enum(["macvlan", "ipvlan"])
      .optional()
      .meta({
        description:
          "macvlan (own, stable MAC; default) or ipvlan (shares the interface's MAC, where switches or hypervisors refuse others)",
        examples: ["macvlan"],
        default: "macvlan",
      }),
    mac: text(checkMac, {
      description: "locally administered MAC address; derived and stable unless given",
      examples: ["02:48:46:00:00:01"],
    }).optional(),
    protocols: z
      .array(z.enum(["v3", "v4"]).meta({ description: "v3 or v4 (4.1 and 4.2)", examples: ["v4"] }))
      .min(1)
      .max(2)
      .optional()
      .meta({
        description: "NFS versions offered; default both; without v3 there is no rpcbind, statd or lockd",
        examples: [["v3", "v4"]],
      }),
    volumes: z
      .array(volume)
      .min(1)
      .max(VOLUMES_MAX)
      .meta({
        description: "the fileserver's volumes; the first also holds its state",
        examples: [[{ name: "data", device: "home/data", filesystem: "xfs" }]],
      }),
    exports: z
      .array(exported)
      .min(1)
      .max(EXPORTS_MAX)
      .meta({
        description: "the paths given to clients",
        examples: [[{ path: "/export/data", volume: "data", clients: [{ match: "10.77.0.0/24", options: ["rw"] }] }]],
      }),
    placement: z
      .strictObject({
        prefer: name("the node that it runs on when all is well", "n1").optional(),
        failback: failback.optional(),
        apart: fileserverNames("fileservers that are to be on other nodes, as far as there are nodes").optional(),
        together: fileserverNames("fileservers that are to be on the same node").optional(),
      })
      .optional()
      .meta({ description: "where the fileserver runs", examples: [{ prefer: "n1", failback: "manual" }] }),
    nfs: nfs.optional(),
  })
  .meta({ description: "the unit that moves: volumes, exports, address and name" });

export const specSchema = z
  .strictObject({
    apiVersion: z
      .string()
      .meta({ description: "the version of this format", examples: [API_VERSION], const: API_VERSION }),
    cluster,
    fileservers: z
      .array(fileserver)
      .max(FILESERVERS_MAX)
      .optional()
      .meta({
        description: "the fileservers that the cluster carries",
        examples: [[]],
      }),
    directors: z
      .array(directorSchema)
      .max(DIRECTORS_MAX)
      .optional()
      .meta({
        description: "layer-4 balancers in front of fileservers",
        examples: [
          [{ name: "lb", machines: [{ name: "d1", address: "10.77.0.31" }], services: [{ fileserver: "home" }] }],
        ],
      }),
  })
  .meta({ title: "Holdfast spec", description: "what a Holdfast cluster is to be" });

export const clusterSchema = cluster;
export const fileserverSchema = fileserver;

export type ClusterInput = z.output<typeof cluster>;
export type FileserverInput = z.output<typeof fileserver>;

/** JSON Schema, draft 2020-12, for editors. */
export function specJsonSchema(): Readonly<Record<string, unknown>> {
  const schema = z.toJSONSchema(specSchema, { target: "draft-2020-12", io: "input" });
  return { ...schema, $id: "https://holdfast.invalid/schema/v1.json" };
}
