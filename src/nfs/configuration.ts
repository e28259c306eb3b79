/** What the NFS daemons of one fileserver read: exports(5), nfs.conf(5), hosts(5), as texts. */
import { exportFsid } from "../model/derive.ts";
import type { FileserverSpec } from "../model/spec.ts";

/**
 * One line per export, and one per folder above it. The folders above are a read-only tmpfs that differs on every
 * node; as exports of their own, with their own fsid, they keep the same file handle everywhere (an export's root
 * has no inode in its handle: FILEID_ROOT, fs/nfsd/nfsfh.c), so that a client that mounted "/" finds its way after a move.
 */
export function exportsText(fileserver: FileserverSpec, cluster: string): string {
  const matches = [...new Set(fileserver.exports.flatMap((entry) => entry.clients.map((client) => client.match)))];
  const folders = foldersAbove(fileserver).map((folder) => {
    const fsid = exportFsid(cluster, fileserver.name, `folder:${folder}`);
    return [folder, ...matches.map((match) => `${match}(ro,sync,root_squash,no_subtree_check,fsid=${fsid})`)].join(" ");
  });
  const exports = fileserver.exports.map((entry) =>
    [
      entry.path,
      ...entry.clients.map((client) => `${client.match}(${[...client.options, `fsid=${entry.fsid}`].join(",")})`),
    ].join(" "),
  );
  return `${[...folders, ...exports].join("\n")}\n`;
}

/** Proper parents of the volumes' mount paths, without "/": those that are folders of the tmpfs. */
export function foldersAbove(fileserver: FileserverSpec): readonly string[] {
  const folders = new Set<string>();
  for (const { mountPath } of fileserver.volumes) {
    const parts = mountPath.split("/").slice(1, -1);
    for (let depth = 1; depth <= parts.length; depth++) folders.add(`/${parts.slice(0, depth).join("/")}`);
  }
  return [...folders].sort();
}

/** `manage-gids=n`: group look-ups through a slow directory service would make the first requests after a move slow. */
export function nfsConfText(fileserver: FileserverSpec): string {
  const { ports } = fileserver.nfs;
  return [
    "[general]",
    "pipefs-directory=/run/rpc_pipefs",
    "[mountd]",
    `port=${ports.mountd}`,
    "manage-gids=n",
    "[statd]",
    `port=${ports.statd}`,
    "no-notify=y",
    // It would end lockd's grace where it finds nobody to notify (sm-notify(8)): when the last one has answered the
    // notifier before it in just that moment, and others have yet to reclaim.
    "[sm-notify]",
    "lift-grace=n",
    // Read by mountd, which offers only what nfsd has (utils/mountd/mountd.c, nfs-utils).
    "[nfsd]",
    "udp=n",
    "tcp=y",
    `vers3=${yesNo(fileserver.protocols.includes("v3"))}`,
    `vers4=${yesNo(fileserver.protocols.includes("v4"))}`,
    `vers4.0=${yesNo(fileserver.nfs.allowV40)}`,
    "",
  ].join("\n");
}

export const NFS_PORT = 2049;

/** Ports on which clients keep connections open: nfsd's and lockd's. */
export function servedPorts(fileserver: FileserverSpec): readonly number[] {
  return fileserver.protocols.includes("v3") ? [NFS_PORT, fileserver.nfs.ports.lockd] : [NFS_PORT];
}

function yesNo(value: boolean): string {
  return value ? "y" : "n";
}

/** The node's own hosts file with the fileserver's name first: sm-notify must be able to resolve it (nsm_lookup, nfs-utils). */
export function hostsText(fileserver: FileserverSpec, nodeHosts: string): string {
  const own = fileserver.addresses.map((address) => `${address.address} ${fileserver.hostname}`);
  return `${own.join("\n")}\n${nodeHosts}`;
}

/**
 * What starts nfsd: lines for /proc/fs/nfsd, [file, text], in this order (fs/nfsd/nfsctl.c). The same that rpc.nfsd(8)
 * writes, but for lockd's grace, which it would set for every fileserver on the node (nfssvc_set_time, nfs-utils); and
 * without a start of it, which costs more than all that it does. Listeners are for both families, and have to be
 * registered with rpcbind (rpcbind.ts).
 */
export function nfsdStart(fileserver: FileserverSpec): readonly (readonly [string, string])[] {
  return [
    ["nfsv4leasetime", String(fileserver.nfs.leaseS)],
    ["nfsv4gracetime", String(fileserver.nfs.graceS)],
    ["versions", nfsdVersions(fileserver)],
    ["portlist", `tcp ${NFS_PORT}`],
    ["threads", String(fileserver.nfs.threads)],
  ];
}

/** A v4.0 client never says that it has reclaimed everything (RFC 7530 has no RECLAIM_COMPLETE): one costs all a full grace. */
function nfsdVersions({ protocols, nfs }: FileserverSpec): string {
  const v3 = protocols.includes("v3") ? "+3" : "-3";
  if (!protocols.includes("v4")) return `-2 ${v3} -4`;
  return `-2 ${v3} +4 ${nfs.allowV40 ? "+4.0" : "-4.0"} +4.1 +4.2`;
}
