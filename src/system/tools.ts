/** Every program that Holdfast may start, by absolute path (Debian 12 and 13; /bin and /sbin are links to /usr). */
const TOOL_PATHS = {
  // Only tools in this table can be started; adding one is a reviewed change.
  ip: "/usr/sbin/ip",
  nsenter: "/usr/bin/nsenter",
} as const;

export type Tool = keyof typeof TOOL_PATHS;

export function toolPath(tool: Tool): string {
  return TOOL_PATHS[tool];
}
