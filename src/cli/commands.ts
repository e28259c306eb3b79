import { CHECK } from "./check.ts";
import type { CliCommand } from "./command.ts";
import { LAB_DOWN } from "./lab-down.ts";
import { LAB_SWITCH } from "./lab-switch.ts";
import { LAB_UP } from "./lab-up.ts";
import { SCHEMA } from "./schema.ts";

/** Every command, in the order in which `holdfast --help` lists them. */
export const COMMANDS: readonly CliCommand[] = [CHECK, SCHEMA, LAB_UP, LAB_DOWN, LAB_SWITCH];
