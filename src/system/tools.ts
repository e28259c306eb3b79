/** Every program that Holdfast may start, by absolute path (Debian 12 and 13; /bin and /sbin are links to /usr). */
const TOOL_PATHS = {
  // Only tools in this table can be started; adding one is a reviewed change.
  ip: "/usr/sbin/ip",
  newuidmap: "/usr/bin/newuidmap",
  nsenter: "/usr/bin/nsenter",
  "apt-get": "/usr/bin/apt-get",
  mke2fs: "/usr/sbin/mke2fs",
  mmdebstrap: "/usr/bin/mmdebstrap",
  "qemu-img": "/usr/bin/qemu-img",
  "qemu-system-x86_64": "/usr/bin/qemu-system-x86_64",
  rm: "/usr/bin/rm",
  scp: "/usr/bin/scp",
  ssh: "/usr/bin/ssh",
  "ssh-keygen": "/usr/bin/ssh-keygen",
  sudo: "/usr/bin/sudo",
  tar: "/usr/bin/tar",
  arping: "/usr/bin/arping",
  cat: "/usr/bin/cat",
  lvchange: "/usr/sbin/lvchange",
  lvm: "/usr/sbin/lvm",
  modprobe: "/usr/sbin/modprobe",
  "systemd-run": "/usr/bin/systemd-run",
  vgchange: "/usr/sbin/vgchange",
  dmsetup: "/usr/sbin/dmsetup",
  exportfs: "/usr/sbin/exportfs",
  mkdir: "/usr/bin/mkdir",
  mount: "/usr/bin/mount",
  nft: "/usr/sbin/nft",
  nfsdcld: "/usr/sbin/nfsdcld",
  "rpc.mountd": "/usr/sbin/rpc.mountd",
  "rpc.statd": "/usr/sbin/rpc.statd",
  rpcbind: "/usr/sbin/rpcbind",
  rpcinfo: "/usr/sbin/rpcinfo",
  "sm-notify": "/usr/sbin/sm-notify",
  sync: "/usr/bin/sync",
  // A name for the path that Debian 12 and 13 both answer to is made at install time (packaging/).
  tickle_tcp: "/usr/libexec/heartbeat/tickle_tcp",
  timeout: "/usr/bin/timeout",
  umount: "/usr/bin/umount",
  unshare: "/usr/bin/unshare",
  ipvsadm: "/usr/sbin/ipvsadm",
  hostname: "/usr/bin/hostname",
  sh: "/usr/bin/sh",
  attrd_updater: "/usr/sbin/attrd_updater",
  cibadmin: "/usr/sbin/cibadmin",
  "corosync-cfgtool": "/usr/sbin/corosync-cfgtool",
  "corosync-quorumtool": "/usr/sbin/corosync-quorumtool",
  crm_attribute: "/usr/sbin/crm_attribute",
  crm_mon: "/usr/sbin/crm_mon",
  crm_resource: "/usr/sbin/crm_resource",
  stonith_admin: "/usr/sbin/stonith_admin",
} as const;

export type Tool = keyof typeof TOOL_PATHS;

export function toolPath(tool: Tool): string {
  return TOOL_PATHS[tool];
}
