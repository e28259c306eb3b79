import { formatProblem } from "../model/problem.ts";
import { makePlan } from "../plan/make-plan.ts";
import { renderPlan } from "../plan/render.ts";
import type { CliCommand } from "./command.ts";
import { FILE_OPTION, fileOption, readSpecFile } from "./spec-file.ts";
import {
  CONSENT_OPTION,
  consentOption,
  surveyCluster,
  TIME_SCALE_OPTION,
  timeScaleOption,
  type SurveyCluster,
} from "./survey-cluster.ts";

/** `survey` looks at the nodes; the command itself only decides and prints. */
export function planCommand(survey: SurveyCluster): CliCommand {
  return {
    words: ["plan"],
    summary: "what apply would change on the nodes and in the cluster, and what clients would feel",
    details: [
      "Changes nothing. What cannot be known is left out of the plan and listed, never guessed.",
      "With --json: { generation, number, actions, report: { effects, blocked, notes } }.",
      "Exit status 0 when the plan is complete or there is nothing to do, 1 when something stands in the way.",
    ].join("\n"),
    arguments: [],
    options: [FILE_OPTION, CONSENT_OPTION, TIME_SCALE_OPTION],
    run: async ({ options, io }) => {
      const file = await readSpecFile(fileOption(options));
      for (const warning of file.warnings) io.progress(`warning: ${formatProblem(file.path, warning)}`);
      const choice = { timeScale: timeScaleOption(options), consents: consentOption(options, file.spec) };
      const { observed, design } = await survey(file, choice);
      const { plan, report } = makePlan(file.spec, observed, design);
      io.document({ ...plan, report });
      for (const line of renderPlan(file.spec.cluster.name, plan, report)) io.say(line);
      return report.blocked.length === 0 ? 0 : 1;
    },
  };
}

export const PLAN = planCommand(surveyCluster);
