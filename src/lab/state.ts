/** lab.json: what was chosen when the lab was made. What runs is never kept here, but looked up. */
import { existsSync } from "node:fs";
import { readFile, rename, writeFile } from "node:fs/promises";
import { z } from "zod";
import { Fault } from "../base/fault.ts";

const stateSchema = z.object({
  version: z.literal(1),
  name: z.string(),
  suite: z.enum(["trixie", "bookworm"]),
  imageId: z.string(),
  cacheFolder: z.string(),
  accelerator: z.enum(["kvm", "tcg"]),
  cluster: z.enum(["none", "holdfast", "stock", "stock-tuned"]),
  /** Of the cluster that Holdfast makes. */
  engine: z.enum(["standalone", "pacemaker"]).default("standalone"),
  shape: z.object({ nodes: z.int(), clients: z.int(), directors: z.int() }),
  sshPorts: z.record(z.string(), z.int()),
});

export type LabState = z.infer<typeof stateSchema>;
export type LabCluster = LabState["cluster"];
export type LabEngine = LabState["engine"];

/** Undefined when there is no such lab. */
export async function readState(path: string): Promise<LabState | undefined> {
  if (!existsSync(path)) return undefined;
  try {
    return stateSchema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (error) {
    throw new Fault({
      code: "lab-state-unreadable",
      what: `${path} is not a lab's state`,
      remedy: "holdfast lab down --wipe, then lab up",
      cause: error,
    });
  }
}

export async function writeState(path: string, state: LabState): Promise<void> {
  await writeFile(`${path}.new`, `${JSON.stringify(state, null, 2)}\n`);
  await rename(`${path}.new`, path);
}
