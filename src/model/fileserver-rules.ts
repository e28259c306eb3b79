/** Rules inside one fileserver. */
import { contains, networkOfCidrAddress, parseAddress } from "./address.ts";
import { addressPath, isWithin, ownerOf, repeated, type DraftFileserver } from "./draft.ts";
import { optionConflicts } from "./export-clients.ts";
import { nearest } from "./nearest.ts";
import type { Finding } from "./problem.ts";
import type { ClusterSpec } from "./spec.ts";

export function fileserverFindings(fileserver: DraftFileserver, cluster: ClusterSpec | undefined): readonly Finding[] {
  return [
    ...familyFindings(fileserver),
    ...gatewayFindings(fileserver),
    ...volumeFindings(fileserver),
    ...exportFindings(fileserver),
    ...clientFindings(fileserver),
    ...placementFindings(fileserver, cluster),
    ...nfsFindings(fileserver),
  ];
}

function familyFindings(fileserver: DraftFileserver): readonly Finding[] {
  const { spec } = fileserver;
  const addresses = spec.addresses.map(({ family }, index) => ({
    key: `IPv${family} address`,
    path: addressPath(fileserver, index),
    owner: "",
  }));
  const gateways = spec.gateways.map((gateway, index) => ({
    key: `IPv${gateway.includes(":") ? 6 : 4} gateway`,
    path: [...fileserver.path, "gateway", index],
    owner: "",
  }));
  return repeated([...addresses, ...gateways]).map(({ entry, first }) => ({
    code: "family-twice",
    path: entry.path,
    other: first.path,
    what: `this is the second ${entry.key} of ${ownerOf(fileserver)}`,
    // sm-notify(8): the notification's source address must be the one by which the client mounted.
    why: "after a move, lock recovery speaks from one address per family, and clients of the other would lose their locks",
    remedy: "keep one, or make two fileservers",
  }));
}

function gatewayFindings(fileserver: DraftFileserver): readonly Finding[] {
  const networks = fileserver.spec.addresses.flatMap((cidr) => networkOfCidrAddress(cidr) ?? []);
  return fileserver.spec.gateways.flatMap((gateway, index) => {
    const address = parseAddress(gateway);
    if (address === undefined || networks.some((network) => contains(network, address))) return [];
    return [
      {
        code: "gateway-outside",
        path: [...fileserver.path, "gateway", index],
        other: [...fileserver.path, "address"],
        what: `the gateway ${gateway} is outside the network of the fileserver's address`,
        why: "the kernel refuses a route through a router that is not on the link",
        remedy: "write the router's address in that network, or correct the address's prefix length",
      } as const,
    ];
  });
}

/**
 * First folders under which a fileserver's namespace must see the node's own files. Any other first folder is covered
 * by a private tmpfs inside the fileserver's mount namespace, which no daemon there misses and no one outside sees.
 */
export const SYSTEM_FOLDERS: readonly string[] = [
  "bin",
  "boot",
  "dev",
  "etc",
  "lib",
  "lib32",
  "lib64",
  "libx32",
  "lost+found",
  "proc",
  "root",
  "run",
  "sbin",
  "sys",
  "tmp",
  "usr",
  "var",
];

/** Holdfast's own folder at the top of a volume's file system, beside the exported one. */
export const STATE_FOLDER = ".holdfast";

function volumeFindings(fileserver: DraftFileserver): readonly Finding[] {
  const { volumes } = fileserver.spec;
  const path = (index: number, key: string) => [...fileserver.path, "volumes", index, key];
  const findings: Finding[] = repeated(
    volumes.map((volume, index) => ({ key: volume.name, path: path(index, "name"), owner: "" })),
  ).map(({ entry, first }) => ({
    code: "name-taken",
    path: entry.path,
    other: first.path,
    what: `${ownerOf(fileserver)} has two volumes named ${entry.key}`,
    why: "exports name the volume that they lie on",
    remedy: "give one of them another name",
  }));
  for (const [index, volume] of volumes.entries()) {
    const first = volume.mountPath.split("/")[1] ?? "";
    if (first === "" || SYSTEM_FOLDERS.includes(first)) {
      findings.push({
        code: "mount-forbidden",
        path: path(index, "mount"),
        what:
          first === "" ? "a volume cannot be mounted at /" : `${volume.mountPath} lies in the system folder /${first}`,
        why: "the fileserver's own daemons need that folder as the node has it",
        remedy: `mount it elsewhere, e.g. at /export/${volume.name} (any first folder but ${SYSTEM_FOLDERS.join(", ")})`,
      });
    }
    const clash = volumes.findIndex(
      (other, at) =>
        at < index && (isWithin(volume.mountPath, other.mountPath) || isWithin(other.mountPath, volume.mountPath)),
    );
    const other = volumes[clash];
    if (other === undefined) continue;
    const same = other.mountPath === volume.mountPath;
    findings.push({
      code: "mount-taken",
      path: path(index, "mount"),
      other: path(clash, "mount"),
      what: same
        ? `${volume.mountPath} is also where volume ${other.name} is mounted`
        : `${volume.mountPath} and ${other.mountPath} of volume ${other.name} lie one inside the other`,
      why: "clients would see one file system hide a part of another",
      remedy: "mount the volumes side by side, e.g. /export/a and /export/b",
    });
  }
  return findings;
}

function exportFindings(fileserver: DraftFileserver): readonly Finding[] {
  const { volumes, exports } = fileserver.spec;
  const findings: Finding[] = repeated(
    exports.map((item, index) => ({ key: item.path, path: [...fileserver.path, "exports", index, "path"], owner: "" })),
  ).map(({ entry, first }) => ({
    code: "export-taken",
    path: entry.path,
    other: first.path,
    what: `${entry.key} is exported twice`,
    why: "it would not be clear which options hold",
    remedy: "put all its clients into one export",
  }));
  for (const [index, item] of exports.entries()) {
    const path = [...fileserver.path, "exports", index];
    const volumeIndex = volumes.findIndex((volume) => volume.name === item.volume);
    const volume = volumes[volumeIndex];
    if (volume === undefined) {
      const names = volumes.map((each) => each.name);
      const meant = nearest(item.volume, names);
      findings.push({
        code: "volume-unknown",
        path: [...path, "volume"],
        other: [...fileserver.path, "volumes"],
        what: `${ownerOf(fileserver)} has no volume ${item.volume}`,
        why: "an export lies on one of the fileserver's own volumes",
        remedy: meant === undefined ? `write one of: ${names.join(", ")}` : `did you mean ${meant}?`,
      });
      continue;
    }
    if (!isWithin(item.path, volume.mountPath)) {
      findings.push({
        code: "export-outside",
        path: [...path, "path"],
        other: [...fileserver.path, "volumes", volumeIndex, "mount"],
        what: `${item.path} is outside volume ${volume.name}, which is mounted at ${volume.mountPath}`,
        why: "files outside would not move with the fileserver",
        remedy: `write ${volume.mountPath} or a folder below it, or set mount: of the volume`,
      });
    }
    if (item.path.split("/").includes(STATE_FOLDER)) {
      findings.push({
        code: "export-reserved",
        path: [...path, "path"],
        what: `${item.path} has the folder name ${STATE_FOLDER} in it`,
        why: "that is where Holdfast keeps locks and client records, which no client may reach",
        remedy: "choose another folder name",
      });
    }
  }
  return findings;
}

function clientFindings(fileserver: DraftFileserver): readonly Finding[] {
  return fileserver.spec.exports.flatMap((item, exportIndex) => {
    const path = [...fileserver.path, "exports", exportIndex, "clients"];
    const entries = item.clients.map((client, index) => ({
      key: client.match,
      path: [...path, index, "match"],
      owner: "",
    }));
    return repeated(entries).map(({ entry, first }) => ({
      code: "client-twice" as const,
      path: entry.path,
      other: first.path,
      what: `${entry.key} stands twice in the export of ${item.path}`,
      why: "it would not be clear which options hold",
      remedy: "keep one of them",
    }));
  });
}

/** Options as written: after defaults are filled in, a contradiction can no longer be seen. */
export function optionFindings(
  path: readonly (string | number)[],
  exports: readonly { readonly clients: readonly { readonly options?: readonly string[] | undefined }[] }[],
): readonly Finding[] {
  return exports.flatMap((item, exportIndex) =>
    item.clients.flatMap((client, clientIndex) => {
      const options = client.options ?? [];
      const at = [...path, "exports", exportIndex, "clients", clientIndex, "options"];
      return optionConflicts(options).map((conflict) => ({
        code: "option-conflict" as const,
        path: [...at, conflict.index],
        other: [...at, conflict.with],
        what: conflict.repeated
          ? `the option ${options[conflict.index]} stands twice`
          : `${options[conflict.index]} contradicts ${options[conflict.with]}`,
        why: "exportfs would let the later one win silently",
        remedy: "keep the one that is meant",
      }));
    }),
  );
}

function placementFindings(fileserver: DraftFileserver, cluster: ClusterSpec | undefined): readonly Finding[] {
  const { prefer } = fileserver.spec.placement;
  if (cluster === undefined || prefer === undefined) return [];
  const names = cluster.nodes.map((node) => node.name);
  if (names.includes(prefer)) return [];
  const meant = nearest(prefer, names);
  return [
    {
      code: "node-unknown",
      path: [...fileserver.path, "placement", "prefer"],
      other: ["cluster", "nodes"],
      what: `the cluster has no node ${prefer}`,
      why: "the fileserver would have no preferred place",
      remedy: meant === undefined ? `write one of: ${names.join(", ")}` : `did you mean ${meant}?`,
    },
  ];
}

/** Ports that rpcbind and nfsd hold in every fileserver. */
const FIXED_PORTS: readonly { readonly name: string; readonly port: number }[] = [
  { name: "rpcbind", port: 111 },
  { name: "nfsd", port: 2049 },
];

function nfsFindings(fileserver: DraftFileserver): readonly Finding[] {
  const { ports, leaseS, graceS } = fileserver.spec.nfs;
  const findings: Finding[] = [];
  const holders = [...FIXED_PORTS];
  for (const name of ["mountd", "statd", "lockd"] as const) {
    const port = ports[name];
    const holder = holders.find((each) => each.port === port);
    holders.push({ name, port });
    if (holder === undefined) continue;
    findings.push({
      code: "port-taken",
      path: [...fileserver.path, "nfs", "ports", name],
      what: `port ${port} of ${name} is the port of ${holder.name}`,
      why: "each service listens on a port of its own",
      remedy: `choose another; the defaults are mountd 20048, statd 662, lockd 4001`,
    });
  }
  if (graceS < leaseS) {
    findings.push({
      code: "grace-too-short",
      path: [...fileserver.path, "nfs", "grace"],
      other: [...fileserver.path, "nfs", "lease"],
      what: `the grace period of ${graceS} s is shorter than the lease of ${leaseS} s`,
      why: "a client may come back as late as a lease after a takeover, and must still be able to reclaim its locks",
      remedy: `write grace: ${leaseS}s or more`,
    });
  }
  return findings;
}
