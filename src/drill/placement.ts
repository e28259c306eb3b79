/** Where a fileserver is, as the machines themselves show it: the node on which some process has the export mounted. */
import { Fault } from "../base/fault.ts";
import type { Machines } from "./ports.ts";

/** A fileserver as a drill sees it, whatever system serves it. */
export interface FileserverTarget {
  readonly name: string;
  /** As clients know it. */
  readonly host: string;
  readonly exportPath: string;
  /**
   * The volume's device as mountinfo may name it. Two fileservers may export the same path, each in a mount namespace
   * of its own, so the path alone does not tell them apart. Empty: any device.
   */
  readonly devices: readonly string[];
}

/**
 * Extended regular expression for the line of /proc/PID/mountinfo (proc_pid_mountinfo(5)) of the mounted export:
 * root, mount point, options, optional fields, "-", file system type, source.
 */
export function mountPattern({ exportPath, devices }: Pick<FileserverTarget, "exportPath" | "devices">): string {
  const sources = devices.length === 0 ? "[^ ]+" : `(${devices.map(escaped).join("|")})`;
  return ` ${escaped(exportPath)} .* - [^ ]+ ${sources} `;
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** Names of a logical volume's device: device mapper doubles the hyphens of both parts. */
export function logicalVolumeDevices(group: string, volume: string): readonly string[] {
  const doubled = [group, volume].map((part) => part.replaceAll("-", "--"));
  return [`/dev/mapper/${doubled.join("-")}`, `/dev/${group}/${volume}`];
}

const LOOK_TIMEOUT_MS = 30_000;
/** Whatever the system under test is (Holdfast or a stock cluster), and in whatever namespace it serves. */
const SCRIPT = `grep -l -s -E -- "$1" /proc/[0-9]*/mountinfo | head -n 1
`;

/** The pattern for one node, where the device may also be mounted by the node behind its name (/dev/dm-0, /dev/sdb). */
export async function mountPatternOn(machines: Machines, node: string, target: FileserverTarget): Promise<string> {
  if (target.devices.length === 0) return mountPattern(target);
  const { stdout } = await machines.exec(node, ["readlink", "-f", ...target.devices], { timeoutMs: LOOK_TIMEOUT_MS });
  const nodes = stdout.split("\n").filter((name) => name.startsWith("/dev/"));
  return mountPattern({ ...target, devices: [...target.devices, ...nodes] });
}

/** Rejects when no node has it, and when two have: a volume mounted twice is the worst that can happen, so it is said. */
export async function servingNode(
  machines: Machines,
  nodes: readonly string[],
  fileserver: FileserverTarget,
): Promise<string> {
  const found = await Promise.all(
    nodes.map(async (node) => {
      const options = { input: SCRIPT, timeoutMs: LOOK_TIMEOUT_MS };
      const result = await machines.exec(
        node,
        ["sh", "-s", "--", await mountPatternOn(machines, node, fileserver)],
        options,
      );
      return result.stdout.trim() === "" ? [] : [node];
    }),
  );
  const [node, second] = found.flat();
  if (second !== undefined) {
    throw new Fault({
      code: "mounted-twice",
      what: `${fileserver.exportPath} of ${fileserver.name} is mounted on ${found.flat().join(" and ")}`,
      why: "two nodes that write one file system destroy it",
      remedy: "power one of them off now, then check the file system before it serves again",
    });
  }
  if (node !== undefined) return node;
  throw new Fault({
    code: "served-nowhere",
    what: `${fileserver.name} is served by none of ${nodes.join(", ")}`,
    remedy: "look at `holdfast status`",
  });
}
