import { AGENT } from "./agent.ts";
import { CHECK } from "./check.ts";
import type { CliCommand } from "./command.ts";
import { demoCommand } from "./demo.ts";
import { drillCommand } from "./drill.ts";
import { HISTORY } from "./history.ts";
import { LAB_DOWN } from "./lab-down.ts";
import { LAB_SWITCH } from "./lab-switch.ts";
import { LAB_UP } from "./lab-up.ts";
import { LAB_CAPTURE } from "./lab-capture.ts";
import { LAB_CP } from "./lab-cp.ts";
import { LAB_DEPLOY } from "./lab-deploy.ts";
import { LAB_FAULT } from "./lab-fault.ts";
import { LAB_SSH } from "./lab-ssh.ts";
import { LAB_STATUS } from "./lab-status.ts";
import { INIT } from "./init.ts";
import { PLAN } from "./plan.ts";
import { MOVE } from "./move.ts";
import { SCHEMA } from "./schema.ts";
import { STATUS } from "./status.ts";

/** Commands that use others, as an operator would, find them by their words: importing them here would be a circle. */
function findCommand(...words: readonly string[]): CliCommand | undefined {
  return COMMANDS.find((command) => command.words.join(" ") === words.join(" "));
}

/** Every command, in the order in which `holdfast --help` lists them. */
export const COMMANDS: readonly CliCommand[] = [
  INIT,
  CHECK,
  PLAN,
  SCHEMA,
  STATUS,
  MOVE,
  HISTORY,
  AGENT,
  drillCommand(findCommand),
  demoCommand(findCommand),
  LAB_UP,
  LAB_DOWN,
  LAB_DEPLOY,
  LAB_CAPTURE,
  LAB_CP,
  LAB_FAULT,
  LAB_SSH,
  LAB_STATUS,
  LAB_SWITCH,
];
