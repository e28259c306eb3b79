/** Where a fileserver is, as the machines themselves show it: the node on which some process has the export mounted. */
import { Fault } from "../base/fault.ts";
import type { Machines } from "./ports.ts";

const LOOK_TIMEOUT_MS = 30_000;
/** Whatever the system under test is (Holdfast or a stock cluster), and in whatever namespace it serves. */
const SCRIPT = `grep -l -s " $1 " /proc/[0-9]*/mountinfo | head -n 1
`;

/** Rejects when no node has it, and when two have: a volume mounted twice is the worst that can happen, so it is said. */
export async function servingNode(
  machines: Machines,
  nodes: readonly string[],
  fileserver: { readonly name: string; readonly exportPath: string },
): Promise<string> {
  const found = await Promise.all(
    nodes.map(async (node) => {
      const options = { input: SCRIPT, timeoutMs: LOOK_TIMEOUT_MS };
      const result = await machines.exec(node, ["sh", "-s", "--", fileserver.exportPath], options);
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
