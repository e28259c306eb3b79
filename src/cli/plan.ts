import { formatProblem } from "../model/problem.ts";
import { makePlan } from "../plan/make-plan.ts";
import { renderPlan } from "../plan/render.ts";
import type { CliCommand } from "./command.ts";
import { observeNodes, type ObserveNodes } from "./observe.ts";
import { FILE_OPTION, fileOption, readSpecFile } from "./spec-file.ts";

/** `observe` looks at the nodes; the command itself only decides and prints. */
export function planCommand(observe: ObserveNodes): CliCommand {
  return {
    words: ["plan"],
    summary: "what apply would change on the nodes, and what clients would feel",
    details: [
      "Changes nothing. What cannot be known is left out of the plan and listed, never guessed.",
      "With --json: { generation, actions, report: { effects, blocked, notes } }.",
      "Exit status 0 when the plan is complete or there is nothing to do, 1 when something stands in the way.",
    ].join("\n"),
    arguments: [],
    options: [FILE_OPTION],
    run: async ({ options, io }) => {
      const file = await readSpecFile(fileOption(options));
      for (const warning of file.warnings) io.progress(`warning: ${formatProblem(file.path, warning)}`);
      const { plan, report } = makePlan(file.spec, await observe(file));
      io.document({ ...plan, report });
      for (const line of renderPlan(file.spec.cluster.name, plan, report)) io.say(line);
      return report.blocked.length === 0 ? 0 : 1;
    },
  };
}

export const PLAN = planCommand(observeNodes);
