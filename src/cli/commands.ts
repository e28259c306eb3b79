import type { CliCommand } from "./command.ts";

/** Every command, in the order in which `holdfast --help` lists them. */
export const COMMANDS: readonly CliCommand[] = [];
