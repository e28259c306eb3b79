/** The probe program as one file: bundled from source, or the copy inside the self-contained binary. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { getAsset, isSea } from "node:sea";

/** Name under which scripts/build.ts puts the program into the binary. */
export const PROBE_ASSET = "probe.mjs";
const SOURCE = "probe/main.ts";

/** Writes the program to `path`. Takes some 20 ms from source. */
export async function writeProbeProgram(path: string): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  if (isSea()) {
    writeFileSync(path, getAsset(PROBE_ASSET, "utf8"));
    return;
  }
  // A development dependency: only a source tree gets here.
  const { build } = await import("esbuild");
  await build({
    entryPoints: [join(import.meta.dirname, SOURCE)],
    outfile: path,
    bundle: true,
    platform: "node",
    target: "node26",
    format: "esm",
    logLevel: "silent",
  });
}
