import type { CliCommand } from "./command.ts";

/**
 * A command that is not loaded yet. Its module, with all that it needs, is loaded when it is chosen: `holdfast status`
 * on a small node does not pay for the lab, nor the agent for the drills.
 */
export interface CommandEntry {
  /** The same as the command's own. */
  readonly words: readonly string[];
  load(): Promise<CliCommand>;
}

function entry(words: string, load: () => Promise<CliCommand>): CommandEntry {
  return { words: words.split(" "), load };
}

/** Commands that use others, as an operator would, find them by their words: importing them there would be a circle. */
async function findCommand(...words: readonly string[]): Promise<CliCommand | undefined> {
  return COMMANDS.find((command) => command.words.join(" ") === words.join(" "))?.load();
}

/** Every command, in the order in which `holdfast --help` lists them. */
export const COMMANDS: readonly CommandEntry[] = [
  entry("init", async () => (await import("./init.ts")).INIT),
  entry("check", async () => (await import("./check.ts")).CHECK),
  entry("plan", async () => (await import("./plan.ts")).PLAN),
  entry("apply", async () => (await import("./apply.ts")).APPLY),
  entry("destroy", async () => (await import("./destroy.ts")).DESTROY),
  entry("schema", async () => (await import("./schema.ts")).SCHEMA),
  entry("status", async () => (await import("./status.ts")).STATUS),
  entry("clients", async () => (await import("./clients.ts")).CLIENTS),
  entry("move", async () => (await import("./move.ts")).MOVE),
  entry("standby", async () => (await import("./standby.ts")).STANDBY),
  entry("unstandby", async () => (await import("./unstandby.ts")).UNSTANDBY),
  entry("history", async () => (await import("./history.ts")).HISTORY),
  entry("import director", async () => (await import("./import-director.ts")).IMPORT_DIRECTOR),
  entry("agent", async () => (await import("./agent.ts")).AGENT),
  entry("director", async () => (await import("./director.ts")).DIRECTOR),
  entry("import pacemaker", async () => (await import("./import-pacemaker.ts")).IMPORT_PACEMAKER),
  entry("drill", async () => (await import("./drill.ts")).drillCommand(findCommand)),
  entry("simulate", async () => (await import("./simulate.ts")).SIMULATE),
  entry("demo", async () => (await import("./demo.ts")).demoCommand(findCommand)),
  entry("lab up", async () => (await import("./lab-up.ts")).LAB_UP),
  entry("lab down", async () => (await import("./lab-down.ts")).LAB_DOWN),
  entry("lab image", async () => (await import("./lab-image.ts")).LAB_IMAGE),
  entry("lab deploy", async () => (await import("./lab-deploy.ts")).LAB_DEPLOY),
  entry("lab capture", async () => (await import("./lab-capture.ts")).LAB_CAPTURE),
  entry("lab cp", async () => (await import("./lab-cp.ts")).LAB_CP),
  entry("lab fault", async () => (await import("./lab-fault.ts")).LAB_FAULT),
  entry("lab ssh", async () => (await import("./lab-ssh.ts")).LAB_SSH),
  entry("lab status", async () => (await import("./lab-status.ts")).LAB_STATUS),
  entry("lab switch", async () => (await import("./lab-switch.ts")).LAB_SWITCH),
];

/** All of them, for help and for the page of commands. */
export function loadCommands(entries: readonly CommandEntry[] = COMMANDS): Promise<readonly CliCommand[]> {
  return Promise.all(entries.map((command) => command.load()));
}

/** Those that a command line can mean: the one that it names, none for the version alone, all where it names none. */
export function entriesFor(argv: readonly string[]): readonly CommandEntry[] {
  const named = COMMANDS.find(({ words }) => words.every((word, at) => argv[at] === word));
  if (named !== undefined) return [named];
  return argv[0] === "--version" ? [] : COMMANDS;
}
