import { CHECK } from "./check.ts";
import type { CliCommand } from "./command.ts";
import { SCHEMA } from "./schema.ts";

/** Every command, in the order in which `holdfast --help` lists them. */
export const COMMANDS: readonly CliCommand[] = [CHECK, SCHEMA];
