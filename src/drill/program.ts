/** The programs that run on clients, each as one file: bundled from source, or the copy inside the self-contained binary. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { getAsset, isSea } from "node:sea";

/** Names under which scripts/build.ts puts the programs into the binary. */
export const PROBE_ASSET = "probe.mjs";
export const CROWD_ASSET = "crowd.mjs";

/** Writes the probes' program to `path`. Takes some 20 ms from source. */
export function writeProbeProgram(path: string): Promise<void> {
  return writeProgram(path, PROBE_ASSET, "probe/main.ts");
}

/** The same for the crowd's. */
export function writeCrowdProgram(path: string): Promise<void> {
  return writeProgram(path, CROWD_ASSET, "crowd/main.ts");
}

async function writeProgram(path: string, asset: string, source: string): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  if (isSea()) {
    writeFileSync(path, getAsset(asset, "utf8"));
    return;
  }
  // A development dependency: only a source tree gets here.
  const { build } = await import("esbuild");
  await build({
    entryPoints: [join(import.meta.dirname, source)],
    outfile: path,
    bundle: true,
    platform: "node",
    target: "node26",
    format: "esm",
    logLevel: "silent",
  });
}
