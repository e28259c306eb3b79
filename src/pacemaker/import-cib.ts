/** From a hand-built Pacemaker NFS group to fileservers of a spec, and what an operator has to know of the difference. Pure. */
import { parseAddress } from "../model/address.ts";
import { isName } from "../model/names.ts";
import { isFalse, pairsOf, primitivesOf, propertyOf, sectionOf, type FoundResource } from "./cib.ts";
import { descendants, elementsOf, type XmlElement } from "./xml.ts";

export interface CibFinding {
  /** must: the spec is not complete or not right without it. should: better otherwise. note: good to know. */
  readonly weight: "must" | "should" | "note";
  readonly code: CibFindingCode;
  /** The resource, node or option that it is about. */
  readonly about: string;
  readonly what: string;
  readonly remedy: string;
}

export type CibFindingCode =
  | "address-unknown"
  | "hostname-unknown"
  | "interface-unknown"
  | "fencing-off"
  | "fencing-missing"
  | "fencing-other"
  | "quorum-ignored"
  | "no-nfs-group"
  | "device-unstable"
  | "not-taken-over"
  | "data-moves"
  | "fsid-changes"
  | "fsid-zero"
  | "state-outside"
  | "option-unsafe"
  | "root-trusted"
  | "lease-wait"
  | "notify-missing"
  | "address-prefix";

export interface ImportedCib {
  /** A whole spec as YAML; places that only an operator can fill hold FILL-IN. */
  readonly text: string;
  readonly findings: readonly CibFinding[];
  /** What to do, in order, to go over to it. */
  readonly steps: readonly string[];
}

const FILL_IN = "FILL-IN";

interface Old {
  readonly name: string;
  readonly members: readonly FoundResource[];
}

export function importCib(root: XmlElement, clusterName: string): ImportedCib {
  const findings: CibFinding[] = [...clusterFindings(root)];
  const olds = nfsGroups(root);
  if (olds.length === 0) {
    findings.push({
      weight: "must",
      code: "no-nfs-group",
      about: "resources",
      what: "no group with an ocf:heartbeat:nfsserver or ocf:heartbeat:exportfs was found",
      remedy: "give the output of: cibadmin --query",
    });
  }
  const nodes = elementsOf(sectionOf(root, "nodes"), "node").map((node) => node.attributes["uname"] ?? FILL_IN);
  for (const node of nodes) {
    findings.push({
      weight: "must",
      code: "address-unknown",
      about: node,
      what: `the configuration does not say the addresses of ${node}`,
      remedy: "write them: those of its ring in /etc/corosync/corosync.conf, one per link",
    });
  }
  const fileservers = olds.flatMap((old) => fileserverLines(old, findings));
  const lines = [
    `# Made by holdfast import pacemaker. ${FILL_IN} stands where only you know; holdfast check tells what is left.`,
    "apiVersion: holdfast/v1",
    "cluster:",
    `  name: ${clusterName}`,
    "  engine: pacemaker",
    "  nodes:",
    ...nodes.map((node) => `    - { name: ${scalar(node)}, addresses: [${FILL_IN}] }`),
    ...fencingLines(root, findings),
    olds.length === 0 ? "fileservers: []" : "fileservers:",
    ...fileservers,
  ];
  return { text: `${lines.join("\n")}\n`, findings, steps: stepsFor(olds) };
}

function isAgent(resource: FoundResource, type: string): boolean {
  return resource.class === "ocf" && resource.provider === "heartbeat" && resource.type === type;
}

/** A group, or whatever else holds an NFS server together; exports outside of groups count with everything ungrouped. */
function nfsGroups(root: XmlElement): readonly Old[] {
  const resources = sectionOf(root, "resources");
  const groups = descendants(resources, "group").map((group) => ({
    name: group.attributes["id"] ?? "nfs",
    members: primitivesOf(root).filter((each) => descendants(group, "primitive").includes(each.element)),
  }));
  const grouped = new Set(groups.flatMap(({ members }) => members.map(({ id }) => id)));
  const loose = primitivesOf(root).filter((each) => !grouped.has(each.id) && each.class !== "stonith");
  const all = [...groups, { name: "nfs", members: loose }];
  return all.filter(({ members }) => members.some((each) => isAgent(each, "nfsserver") || isAgent(each, "exportfs")));
}

function clusterFindings(root: XmlElement): readonly CibFinding[] {
  const findings: CibFinding[] = [];
  const stonith = propertyOf(root, "stonith-enabled");
  if (stonith !== undefined && isFalse(stonith.value)) {
    findings.push({
      weight: "must",
      code: "fencing-off",
      about: "stonith-enabled",
      what: "fencing is switched off: when the nodes lose sight of each other, both mount the volume and destroy it",
      remedy: "take it away before anything else: crm_attribute --type crm_config --name stonith-enabled --delete",
    });
  }
  const quorum = propertyOf(root, "no-quorum-policy")?.value;
  if (quorum === "ignore") {
    findings.push({
      weight: "must",
      code: "quorum-ignored",
      about: "no-quorum-policy",
      what: "a part of the cluster without a majority goes on serving",
      remedy:
        "take it away: crm_attribute --type crm_config --name no-quorum-policy --delete; two nodes have two_node in corosync.conf for that",
    });
  }
  return findings;
}

/** Its persistent reservations are ours; every other agent is named, with its options but never with its secrets. */
function fencingLines(root: XmlElement, findings: CibFinding[]): readonly string[] {
  const devices = primitivesOf(root).filter((each) => each.class === "stonith");
  if (devices.length === 0) {
    findings.push({
      weight: "must",
      code: "fencing-missing",
      about: "fencing",
      what: "there is no fence device",
      remedy:
        "persistent reservations (scsi) are taken instead; see that the LUNs know them: sg_persist --in --report-capabilities",
    });
  }
  const others = devices.filter((each) => !["fence_scsi", "fence_mpath", "fence_holdfast"].includes(each.type));
  for (const device of others) {
    findings.push({
      weight: "should",
      code: "fencing-other",
      about: device.id,
      what: `${device.id} (${device.type}) is not taken over: its passwords stand in the configuration in clear text`,
      remedy: `write - { agent: ${device.type.replace(/^fence_/, "")}, nodes: { … }, secrets: /etc/holdfast/fencing.secret } below fencing, and the passwords into that file`,
    });
  }
  return ["  fencing:", "    - { agent: scsi }"];
}

function fileserverLines(old: Old, findings: CibFinding[]): readonly string[] {
  const name = nameOf(old.name);
  const of = (type: string): readonly FoundResource[] => old.members.filter((each) => isAgent(each, type));
  for (const resource of old.members) {
    if (TAKEN_OVER.includes(resource.type)) continue;
    findings.push({
      weight: "should",
      code: "not-taken-over",
      about: resource.id,
      what: `${resource.id} (${resource.class}:${resource.provider}:${resource.type}) has no place in a fileserver`,
      remedy: "see whether it is still needed; it can stay in Pacemaker by itself",
    });
  }
  findings.push({
    weight: "must",
    code: "hostname-unknown",
    about: name,
    what: `the name by which clients mount ${name} is not known`,
    remedy: "write hostname: the name that leads to its address, with its domain",
  });
  const filesystems = of("Filesystem");
  return [
    `  - name: ${name}`,
    `    hostname: ${FILL_IN}`,
    ...addressLines(of("IPaddr2"), name, findings),
    "    volumes:",
    ...filesystems.flatMap((each, index) => volumeLines(each, index, findings)),
    "    exports:",
    ...of("exportfs").flatMap((each) => exportLines(each, filesystems, findings)),
    ...serverFindings(old, of, name, findings),
  ];
}

const TAKEN_OVER: readonly string[] = [
  "nfsserver",
  "exportfs",
  "Filesystem",
  "IPaddr2",
  "LVM-activate",
  "LVM",
  "nfsnotify",
  "portblock",
  "drbd",
];

function nameOf(text: string): string {
  const name = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, "-")
    .replaceAll(/^[-0-9]+|-+$/g, "")
    .slice(0, 32);
  return isName(name) ? name : "nfs";
}

function parameter(resource: FoundResource, name: string): string | undefined {
  return pairsOf(resource.element, "instance_attributes").get(name);
}

function addressLines(resources: readonly FoundResource[], name: string, findings: CibFinding[]): readonly string[] {
  const addresses = resources.map((each) => {
    const ip = parameter(each, "ip") ?? FILL_IN;
    const prefix = parameter(each, "cidr_netmask");
    if (prefix === undefined) {
      findings.push({
        weight: "must",
        code: "address-prefix",
        about: each.id,
        what: `${each.id} does not say the prefix length of ${ip}`,
        remedy: "write that of the network, e.g. /24",
      });
    }
    const fallback = parseAddress(ip)?.family === 6 ? 64 : 24;
    return scalar(`${ip}/${prefix ?? fallback}`);
  });
  const link = resources.map((each) => parameter(each, "nic")).find((nic) => nic !== undefined);
  if (link === undefined) {
    findings.push({
      weight: "must",
      code: "interface-unknown",
      about: name,
      what: "the nodes' interface to the clients is not said",
      remedy: "write interface: as `ip -o addr` shows it for that network, e.g. eth1",
    });
  }
  return [
    `    address: ${addresses.length === 1 ? (addresses[0] ?? FILL_IN) : `[${addresses.join(", ")}]`}`,
    `    interface: ${scalar(link ?? FILL_IN)}`,
  ];
}

function volumeName(index: number): string {
  return index === 0 ? "data" : `data${index + 1}`;
}

function volumeLines(resource: FoundResource, index: number, findings: CibFinding[]): readonly string[] {
  const device = parameter(resource, "device") ?? FILL_IN;
  const directory = parameter(resource, "directory") ?? FILL_IN;
  const fstype = parameter(resource, "fstype") ?? FILL_IN;
  findings.push({
    weight: "must",
    code: "data-moves",
    about: resource.id,
    what: `what is exported must lie in the folder export/ at the top of the file system; now it lies at the top of ${device}`,
    remedy: `while nothing serves it: mount it, mkdir export, move everything but lost+found into it (a rename, no copying), unmount`,
  });
  return [
    `      - name: ${volumeName(index)}`,
    `        device: ${scalar(deviceOf(device, resource.id, findings))}`,
    `        filesystem: ${scalar(fstype)}`,
    `        mount: ${scalar(directory)}`,
  ];
}

function deviceOf(device: string, about: string, findings: CibFinding[]): string {
  if (device.startsWith("/dev/disk/by-id/")) return device;
  const mapper = /^\/dev\/mapper\/(.+)$/.exec(device)?.[1];
  const dashed = mapper === undefined ? undefined : /^((?:[^-]|--)+)-((?:[^-]|--)+)$/.exec(mapper);
  if (dashed !== null && dashed !== undefined) {
    return [dashed[1] ?? "", dashed[2] ?? ""].map((part) => part.replaceAll("--", "-")).join("/");
  }
  const lv = /^\/dev\/([A-Za-z0-9+_.][A-Za-z0-9+_.-]*)\/([A-Za-z0-9+_.][A-Za-z0-9+_.-]*)$/.exec(device);
  if (lv !== null && !["disk", "mapper", "drbd"].includes(lv[1] ?? "")) return `${lv[1]}/${lv[2]}`;
  findings.push({
    weight: "must",
    code: "device-unstable",
    about,
    what: `${device} is not a name that is the same on every node and at every start`,
    remedy: "write the path below /dev/disk/by-id/ that leads to it, or VG/LV",
  });
  return FILL_IN;
}

/** Options that this release takes as they are. */
const PLAIN_OPTIONS: readonly string[] = [
  "ro",
  "rw",
  "sync",
  "root_squash",
  "no_root_squash",
  "all_squash",
  "no_all_squash",
  "secure",
  "insecure",
  "no_subtree_check",
  "no_acl",
];

function exportLines(
  resource: FoundResource,
  filesystems: readonly FoundResource[],
  findings: CibFinding[],
): readonly string[] {
  const directory = parameter(resource, "directory") ?? FILL_IN;
  const client = parameter(resource, "clientspec") ?? FILL_IN;
  const options = (parameter(resource, "options") ?? "").split(",").map((option) => option.trim());
  const at = filesystems.findIndex((each) => isWithin(directory, parameter(each, "directory") ?? FILL_IN));
  exportFindings(resource, options, findings);
  const kept = options.filter((option) => PLAIN_OPTIONS.includes(option) || /^anon[ug]id=[0-9]+$/.test(option));
  const fsid = parameter(resource, "fsid") ?? "";
  const uuid = /^[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$/i.test(fsid);
  return [
    `      - path: ${scalar(directory)}`,
    `        volume: ${volumeName(Math.max(0, at))}`,
    ...(uuid ? [`        fsid: ${fsid}`] : []),
    `        clients: [{ match: ${scalar(client)}, options: [${kept.join(", ")}] }]`,
  ];
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder.replace(/\/$/, "")}/`);
}

function exportFindings(resource: FoundResource, options: readonly string[], findings: CibFinding[]): void {
  const about = resource.id;
  const fsid = parameter(resource, "fsid");
  if (fsid === "0" || fsid === "root") {
    findings.push({
      weight: "must",
      code: "fsid-zero",
      about,
      what: "it is the NFSv4 root (fsid=0): clients mount / and mean this folder",
      remedy: "have clients mount the path of the export instead, e.g. home.example.com:/export/data",
    });
  } else if (fsid === undefined || /^[0-9]+$/.test(fsid)) {
    findings.push({
      weight: "must",
      code: "fsid-changes",
      about,
      what: `its fsid (${fsid ?? "none"}) is not a UUID, so that file handles become others`,
      remedy: "clients must unmount before the change and mount after it; the new fsid is derived and stays",
    });
  }
  if (parameter(resource, "wait_for_leasetime_on_stop") === "true") {
    findings.push({
      weight: "note",
      code: "lease-wait",
      about,
      what: "wait_for_leasetime_on_stop made every stop wait 92 s and lose locks",
      remedy: "nothing: a release here keeps locks and waits for nobody",
    });
  }
  if (options.includes("async")) {
    findings.push({
      weight: "must",
      code: "option-unsafe",
      about,
      what: "async acknowledges writes that are not on the disk: every failover could lose some",
      remedy: "it is left out, so that the export is sync",
    });
  }
  if (options.includes("no_root_squash")) {
    findings.push({
      weight: "should",
      code: "root-trusted",
      about,
      what: "no_root_squash makes root on a client root on the volume",
      remedy: "leave it out unless the clients are as trusted as the nodes",
    });
  }
}

function serverFindings(
  old: Old,
  of: (type: string) => readonly FoundResource[],
  name: string,
  findings: CibFinding[],
): readonly string[] {
  const [server] = of("nfsserver");
  const directories = of("Filesystem").map((each) => parameter(each, "directory") ?? "");
  const shared = server === undefined ? undefined : parameter(server, "nfs_shared_infodir");
  if (shared === undefined || !directories.some((directory) => isWithin(shared, directory))) {
    findings.push({
      weight: "should",
      code: "state-outside",
      about: server?.id ?? old.name,
      what: "who holds which lock was kept on the node, not on the volume: every failover lost locks",
      remedy: "nothing: a fileserver keeps it on its volume. Locks that are held during the change are lost",
    });
  }
  if (of("nfsnotify").length === 0) {
    findings.push({
      weight: "note",
      code: "notify-missing",
      about: name,
      what: "NFSv3 clients were not told of a failover, and lost their locks without knowing",
      remedy: "nothing: they are told now",
    });
  }
  return [];
}

const PLAIN = /^[A-Za-z0-9/][A-Za-z0-9/._-]*$/;

/** Nothing from an old configuration can become anything but a text. */
function scalar(text: string): string {
  return PLAIN.test(text) && !/^(?:true|false|null|[0-9.]+)$/i.test(text) ? text : JSON.stringify(text);
}

function stepsFor(olds: readonly Old[]): readonly string[] {
  return [
    "fill in what is missing, until holdfast check has nothing to say",
    "tell the clients' people: mounts end, and locks that are held are lost",
    ...olds.map(
      ({ name }) =>
        `stop the old group: crm_resource --resource ${name} --meta --set-parameter target-role --parameter-value Stopped`,
    ),
    "unmount on the clients",
    "put the data into the folder export/ of each volume (see the findings)",
    "take the old resources out of Pacemaker: pcs resource delete, or cibadmin --delete",
    "holdfast apply",
    "mount on the clients, by the name in the spec",
  ];
}
