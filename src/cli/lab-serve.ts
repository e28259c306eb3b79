import { Fault } from "../base/fault.ts";
import type { Spec } from "../model/spec.ts";
import type { CliCommand, Io } from "./command.ts";
import { APPLY } from "./apply.ts";
import { MOVE } from "./move.ts";
import { askNodes } from "./reach.ts";
import { readSpecFile } from "./spec-file.ts";

/** The cluster of a lab by `apply`, as an administrator makes it; Pacemaker then starts every fileserver by itself. */
export async function applyToLab(specPath: string, timeScale: number, io: Io): Promise<void> {
  await runForProgress(APPLY, [], { file: specPath, yes: true, timeScale: String(timeScale) }, io);
}

/** Brings every fileserver of a lab that nobody serves into service where it belongs, by `move` as an operator would. */
export async function serveLab(specPath: string, io: Io): Promise<readonly string[]> {
  const { spec } = await readSpecFile(specPath);
  const served = await servedNames(spec);
  const brought: string[] = [];
  for (const { name, placement } of spec.fileservers) {
    if (served.has(name)) continue;
    const node = placement.prefer ?? spec.cluster.nodes[0]?.name ?? "";
    io.progress(`${name}: bringing it into service on ${node}`);
    await runForProgress(MOVE, [name, node], { file: specPath }, io);
    brought.push(name);
  }
  return brought;
}

/** A node that does not answer may serve: `move` refuses then, and says so. */
async function servedNames(spec: Spec): Promise<ReadonlySet<string>> {
  const replies = await askNodes(spec, async ({ agent }) => (await agent.status()).fileservers);
  const serving = replies.flatMap(({ result }) => (result.ok ? result.value : []));
  return new Set(serving.filter(({ state }) => state === "serving").map(({ name }) => name));
}

async function runForProgress(
  command: CliCommand,
  args: readonly string[],
  options: Readonly<Record<string, unknown>>,
  io: Io,
): Promise<void> {
  const quiet: Io = { ...io, say: () => undefined, document: () => undefined };
  const status = await command.run({ args, options, io: quiet });
  if (status === 0) return;
  throw new Fault({
    code: "inner-command-failed",
    what: `holdfast ${[...command.words, ...args].join(" ")} ended with status ${status}`,
  });
}
