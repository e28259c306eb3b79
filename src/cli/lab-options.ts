import { Fault } from "../base/fault.ts";
import type { Lab } from "../lab/open.ts";
import { labPaths, type LabPaths } from "../lab/paths.ts";
import { checkLabName } from "../lab/plan.ts";
import type { LabWorld } from "../lab/world.ts";
import { systemClock } from "../system/clock.ts";
import { systemCommands } from "../system/commands.ts";
import type { Io, Option } from "./command.ts";

/** What every lab command takes. */
export const LAB_NAME_OPTION: Option = { flags: "--name <name>", help: "which lab", default: "lab" };

export function labNamed(options: Readonly<Record<string, unknown>>): {
  readonly name: string;
  readonly paths: LabPaths;
} {
  const name = checkLabName(textOption(options, "name") ?? "lab");
  return { name, paths: labPaths(name) };
}

export function labWorld(io: Io): LabWorld {
  return { commands: systemCommands({ timeScale: 1 }), clock: systemClock, progress: (line) => io.progress(line) };
}

/** A number given as an option; undefined when it was not given. */
export function numberOption(options: Readonly<Record<string, unknown>>, name: string): number | undefined {
  const text = textOption(options, name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value)) return value;
  throw new Fault({ kind: "invalid", code: "option-invalid", what: `--${name} needs a number, not "${text}"` });
}

/** A word given as an option, in whatever form a caller inside Holdfast gave it. */
export function textOption(options: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = options[name];
  return typeof value === "string" || typeof value === "number" ? String(value) : undefined;
}

/** One of a list of words given as an option; undefined when it was not given. */
export function wordOption<Word extends string>(
  options: Readonly<Record<string, unknown>>,
  name: string,
  words: readonly Word[],
): Word | undefined {
  const text = textOption(options, name);
  if (text === undefined) return undefined;
  const word = words.find((known) => known === text);
  if (word !== undefined) return word;
  throw new Fault({
    kind: "invalid",
    code: "option-invalid",
    what: `--${name} ${text} is not known`,
    remedy: `use one of: ${words.join(", ")}`,
  });
}

/** The machine's name, or a Fault that lists those there are. */
export function knownMachine(lab: Lab, machine: string | undefined): string {
  const names = lab.machines.map((plan) => plan.name);
  if (machine !== undefined && names.includes(machine)) return machine;
  throw new Fault({
    kind: "invalid",
    code: "lab-machine-unknown",
    what: `lab ${lab.name} has no machine ${machine ?? "(none given)"}`,
    remedy: `its machines are ${names.join(", ")}`,
  });
}
