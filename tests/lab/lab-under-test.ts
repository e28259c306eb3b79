/** The lab that lab tests work in: the command line as a child process, with a bound on everything. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { DrillDocument } from "../../src/drill/document.ts";
import { findLabProcesses } from "../../src/lab/machines.ts";
import { labPaths } from "../../src/lab/paths.ts";

/** A lab that is there already may be named: it is used as it is, and left. */
const NAMED = process.env["HOLDFAST_TEST_LAB"];
export const LAB = NAMED ?? "under-test";
const ROOT = join(import.meta.dirname, "../..");
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `./holdfast WORDS…`; past the bound the child is killed and the status is -1. */
export function holdfast(words: readonly string[], timeoutMs: number): Promise<Ran> {
  return new Promise((resolve) => {
    const options = { timeout: timeoutMs, maxBuffer: OUTPUT_BYTES_MAX, cwd: ROOT };
    execFile(join(ROOT, "holdfast"), words, options, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ status, stdout, stderr });
    });
  });
}

/** One command in a machine of the lab. */
export function inMachine(machine: string, script: string, timeoutMs = 60_000): Promise<Ran> {
  return holdfast(["lab", "ssh", "--name", LAB, machine, "--", "sh", "-c", script], timeoutMs);
}

const PREPARE_TIMEOUT_MS = 240_000;

/** The same where it must succeed, because it is not what a test shows; what it printed. */
export async function prepareIn(machine: string, script: string): Promise<string> {
  const ran = await inMachine(machine, `set -e\n${script}`, PREPARE_TIMEOUT_MS);
  assert.equal(ran.status, 0, `${machine}: ${script}\n${said(ran)}`);
  return ran.stdout.trim();
}

/** On the node that serves it, through the agent's own socket; the pipe stays open until the answer is there. */
export function releaseScript(fileserver: string): string {
  const request = String.raw`{ printf 'POST /v1/fileservers/${fileserver}/release HTTP/1.0\r\n\r\n'; sleep 8; }`;
  return `${request} | socat -t 60 - UNIX:/run/holdfast/agent.sock | head -n 1 | grep ' 200 '`;
}

/** The lab's spec, where `lab up` put it. */
export function specFile(): string {
  const home = process.env["HOLDFAST_LAB_HOME"] ?? join(ROOT, ".holdfast-lab");
  return join(home, LAB, "holdfast.yaml");
}

const UP_TIMEOUT_MS = 600_000;
const COMMAND_TIMEOUT_MS = 120_000;

/**
 * Every file of lab tests says `before(bringLabUp); after(takeLabDown);`. `./test` names one lab for all of them; run by
 * itself, each file has a lab of its own. So each leaves the lab as it found it: both fileservers served, nothing broken.
 */
export async function bringLabUp(): Promise<void> {
  await up(["--engine", "standalone"]);
}

/** The same with Pacemaker. */
export async function bringClusterUp(): Promise<void> {
  await up(["--engine", "pacemaker"]);
}

async function up(words: readonly string[]): Promise<void> {
  if (NAMED !== undefined) return;
  const ran = await holdfast(["lab", "up", "--name", LAB, "--cluster", "holdfast", ...words], UP_TIMEOUT_MS);
  assert.equal(ran.status, 0, said(ran));
}

export async function takeLabDown(): Promise<void> {
  if (NAMED === undefined) await wipeLab();
}

/** Down and forgotten: no process, socket or file of it is left. */
export async function wipeLab(): Promise<void> {
  const down = await holdfast(["lab", "down", "--name", LAB, "--wipe"], COMMAND_TIMEOUT_MS);
  assert.equal(down.status, 0, said(down));
  const paths = labPaths(LAB);
  const { machines, switches, connections } = await findLabProcesses(paths);
  assert.deepEqual([[...machines.keys()], switches, connections], [[], [], []], "no process of the lab is left");
  for (const path of [paths.folder, paths.sockets]) assert.ok(!existsSync(path), `${path} is left`);
}

interface Status {
  readonly fileservers: readonly { readonly name: string; readonly servedBy: string | null }[];
}

/** The node; null where nobody does. */
export async function servedBy(fileserver: string): Promise<string | null | undefined> {
  const ran = await holdfast(["status", "--json", "-f", specFile()], COMMAND_TIMEOUT_MS);
  return (JSON.parse(ran.stdout) as Status).fileservers.find(({ name }) => name === fileserver)?.servedBy;
}

/** By the probes' own logs on the client. */
export function assertNothingLost(oracle: DrillDocument["oracle"]): void {
  assert.ok(oracle.acknowledgedWrites > 0);
  assert.equal(oracle.lostWrites + oracle.staleReads + oracle.errorsSeenByApplications, 0);
}

/** The last lines of what a command said, for a failed assertion. */
export function said({ status, stdout, stderr }: Ran): string {
  return `status ${status}\n${stdout.slice(-1500)}\n${stderr.slice(-3000)}`;
}
