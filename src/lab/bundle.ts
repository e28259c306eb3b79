/** The bundle (all of Holdfast in one module) and how it gets into the machines. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "../base/fault.ts";
import { runAttached } from "../system/processes.ts";
import { nodeBinary } from "./node-binary.ts";
import { sourceRoot, type LabPaths } from "./paths.ts";
import { sshExec } from "./ssh.ts";
import type { LabWorld } from "./world.ts";

const MACHINE_BUNDLE = "/usr/lib/holdfast/holdfast.mjs";
const PUSH_TIMEOUT_MS = 120_000;

export interface Bundle {
  readonly text: string;
  readonly hash: string;
}

/** From source it is built anew, which takes a fraction of a second; a bundle that runs is itself what is deployed. */
export async function currentBundle(): Promise<Bundle> {
  const root = sourceRoot();
  const path = root === undefined ? process.argv[1] : join(root, "dist/holdfast.mjs");
  if (root !== undefined) {
    const status = await runAttached(nodeBinary(), ["--no-warnings", join(root, "scripts/build.ts"), "--bundle"]);
    if (status !== 0) {
      throw new Fault({ code: "bundle-failed", what: "Holdfast could not be bundled", remedy: "npm run types" });
    }
  }
  if (path === undefined || !existsSync(path) || !path.endsWith(".mjs")) {
    throw new Fault({
      code: "bundle-missing",
      what: "there is no bundle to put into the machines",
      remedy: "run the lab from a source checkout",
    });
  }
  const text = await readFile(path, "utf8");
  return { text, hash: createHash("sha256").update(text).digest("hex") };
}

/** Resolves with the machines that got a new bundle; where it is the same, nothing is sent. */
export async function deployBundle(
  world: LabWorld,
  paths: LabPaths,
  machines: readonly string[],
  bundle: Bundle,
): Promise<readonly string[]> {
  const changed = await Promise.all(
    machines.map(async (machine) => {
      const exec = (script: string, input?: string) =>
        sshExec(world.commands, paths.sshConfig, machine, ["sh", "-c", script], {
          timeoutMs: PUSH_TIMEOUT_MS,
          ...(input === undefined ? {} : { input }),
        });
      if ((await exec(`cat ${MACHINE_BUNDLE}.sha256`)).stdout.trim() === bundle.hash) return false;
      const put = `cat > ${MACHINE_BUNDLE}.new && mv ${MACHINE_BUNDLE}.new ${MACHINE_BUNDLE} && echo ${bundle.hash} > ${MACHINE_BUNDLE}.sha256`;
      const result = await exec(put, bundle.text);
      if (result.status === 0) return true;
      throw new Fault({
        code: "lab-deploy-failed",
        what: `the bundle could not be written on ${machine}: ${result.stderr.trim()}`,
      });
    }),
  );
  return machines.filter((_, index) => changed[index] === true);
}
