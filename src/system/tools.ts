/** Every program that Holdfast may start, by absolute path (Debian 12 and 13; /bin and /sbin are links to /usr). */
const TOOL_PATHS = {
  // Only tools in this table can be started; adding one is a reviewed change.
  ip: "/usr/sbin/ip",
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
} as const;

export type Tool = keyof typeof TOOL_PATHS;

export function toolPath(tool: Tool): string {
  return TOOL_PATHS[tool];
}
