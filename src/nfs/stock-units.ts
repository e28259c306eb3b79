/**
 * The stock NFS server and its helpers, as systemd units: each fileserver starts its own, in its own namespaces, and
 * theirs would take ports and files of the host that nothing else should hold. They are masked on nodes.
 */
export const STOCK_UNITS: readonly string[] = [
  "nfs-server.service",
  "nfs-mountd.service",
  "nfsdcld.service",
  "nfs-idmapd.service",
  "nfs-blkmap.service",
  "fsidd.service",
  "rpc-statd.service",
  "rpc-statd-notify.service",
  "rpcbind.service",
  "rpcbind.socket",
];
