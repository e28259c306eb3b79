/** The runner behind ./test: stages one after the other, each with its name, duration and bound; one verdict line. */
import { spawn, spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import {
  CLEAN_UP_TIMEOUT_MS,
  TOTAL_ALL_TIMEOUT_MS,
  TOTAL_TIMEOUT_MS,
  chooseStages,
  groupStages,
  parseChoice,
  tallyStage,
  verdictLine,
  whyNotBegun,
  withinBudget,
  type Choice,
  type Found,
  type Stage,
  type StageRun,
  type Tally,
} from "./stages.ts";

const ROOT = join(import.meta.dirname, "..");
const USAGE = "usage: ./test [--unit] [--all]\n  --unit  only the fast stages\n  --all   also the long lab tests\n";

function find(patterns: readonly string[]): readonly string[] {
  return globSync([...patterns], { cwd: ROOT }).sort();
}

function findFiles(): Found {
  return {
    unitFiles: find(["src/**/*.test.ts", "tests/*.test.ts", "scripts/*.test.ts"]),
    labFiles: find(["tests/lab/**/*.lab.ts"]),
  };
}

function environmentOf(choice: Choice): NodeJS.ProcessEnv {
  return {
    ...process.env,
    HOLDFAST_LAB_HOME: LAB_HOME,
    // Every tool here starts with "env node": that must be the Node that is shipped, not the host's.
    PATH: [join(ROOT, "node_modules/.bin"), process.env["PATH"] ?? "/usr/bin:/bin"].join(delimiter),
    ...(process.stdout.isTTY ? {} : { NO_COLOR: "1" }),
    ...(choice.all ? { HOLDFAST_TEST_ALL: "1" } : {}),
  };
}

/** Labs of tests live apart from those that people use. */
const LAB_HOME = join(ROOT, ".holdfast-lab-tests");

/** Whatever labs the tests left, orderly or not: down and forgotten. */
function takeLabsDown(environment: NodeJS.ProcessEnv): void {
  for (const state of globSync("*/lab.json", { cwd: LAB_HOME })) {
    const name = dirname(state);
    process.stdout.write(`taking down the lab ${name} that the tests left\n`);
    const args = ["--no-warnings", "src/cli/program.ts", "lab", "down", "--name", name, "--wipe"];
    spawnSync("node", args, { cwd: ROOT, env: environment, stdio: "inherit", timeout: CLEAN_UP_TIMEOUT_MS });
  }
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // The group is already gone; its "close" event follows.
  }
}

function runStage(stage: Stage, environment: NodeJS.ProcessEnv): Promise<StageRun> {
  return new Promise((resolve) => {
    const [program, ...args] = stage.command;
    const child = spawn(program, args, {
      cwd: ROOT,
      env: { ...environment, ...stage.environment },
      // Its own process group: what it started ends with it.
      detached: true,
      stdio: ["ignore", "inherit", "inherit", "pipe"],
    });
    let timedOut = false;
    let text = "";
    child.stdio[3]?.on("data", (chunk: Buffer) => (text += chunk.toString()));
    const end = (signal: NodeJS.Signals): void => signalGroup(child.pid, signal);
    const stopped = (): void => end("SIGTERM");
    process.on("SIGINT", stopped).on("SIGTERM", stopped);
    let killTimer: NodeJS.Timeout | undefined;
    const timer = setTimeout(() => {
      timedOut = true;
      end("SIGTERM");
      killTimer = setTimeout(() => end("SIGKILL"), CLEAN_UP_TIMEOUT_MS);
    }, stage.timeoutMs);
    const finish = (status: number | null): void => {
      clearTimeout(timer);
      clearTimeout(killTimer);
      process.off("SIGINT", stopped).off("SIGTERM", stopped);
      resolve({ status, timedOut, reports: text.split("\n").filter((line) => line !== "") });
    };
    child.on("error", (error) => {
      process.stdout.write(`could not start ${program}: ${error.message}\n`);
      finish(null);
    });
    child.on("close", finish);
  });
}

function stageLine(at: string, stage: Stage, tally: Tally, durationMs: number): string {
  const counted = stage.counts === "tests" ? `, ${tally.passed} tests passed` : "";
  const result = tally.failed === 0 ? `done${counted}` : `FAILED${counted} (${tally.because ?? "no reason known"})`;
  return `${at} ${stage.name}: ${result}, ${(durationMs / 1000).toFixed(1)} s\n`;
}

async function main(choice: Choice): Promise<number> {
  const found = findFiles();
  const stages = chooseStages(choice, found);
  const environment = environmentOf(choice);
  const startedMs = performance.now();
  const totalMs = choice.all ? TOTAL_ALL_TIMEOUT_MS : TOTAL_TIMEOUT_MS;
  const tallies = new Map<Stage, Tally>();
  let interrupted = false;
  process.on("SIGINT", () => (interrupted = true)).on("SIGTERM", () => (interrupted = true));
  const runOne = async (whole: Stage): Promise<void> => {
    const at = `stage ${stages.indexOf(whole) + 1}/${stages.length}`;
    const stageStartedMs = performance.now();
    const leftMs = totalMs - (stageStartedMs - startedMs);
    const why = interrupted ? "interrupted" : whyNotBegun(whole, tallies, leftMs);
    if (why !== undefined) {
      tallies.set(whole, { passed: 0, failed: 1, because: "not run" });
      process.stdout.write(`${at} ${whole.name}: FAILED (not run: ${why})\n`);
      return;
    }
    const stage = withinBudget(whole, leftMs);
    process.stdout.write(`${at} ${stage.name} …\n`);
    const tally = tallyStage(stage, await runStage(stage, environment));
    tallies.set(whole, tally);
    process.stdout.write(stageLine(at, stage, tally, performance.now() - stageStartedMs));
  };
  for (const together of groupStages(stages)) await Promise.all(together.map(runOne));
  takeLabsDown(environment);
  if (!choice.unitOnly && found.labFiles.length === 0) process.stdout.write("lab tests: no file in tests/lab\n");
  process.stdout.write(`${verdictLine([...tallies.values()])}\n`);
  return [...tallies.values()].some((tally) => tally.failed > 0) ? 1 : 0;
}

const choice = parseChoice(process.argv.slice(2));
if (choice === undefined) {
  process.stderr.write(USAGE);
  process.exitCode = 2;
} else {
  process.exitCode = await main(choice);
}
