/** One lab for all lab tests: the command line as a child process, with a bound on everything. */
import { execFile } from "node:child_process";
import { join } from "node:path";

export const LAB = "under-test";
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

/** The lab's spec, where `lab up` put it. */
export function specFile(): string {
  const home = process.env["HOLDFAST_LAB_HOME"] ?? join(ROOT, ".holdfast-lab");
  return join(home, LAB, "holdfast.yaml");
}

/** The last lines of what a command said, for a failed assertion. */
export function said({ status, stdout, stderr }: Ran): string {
  return `status ${status}\n${stdout.slice(-1500)}\n${stderr.slice(-3000)}`;
}
