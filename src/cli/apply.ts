/** `holdfast apply`: looks, plans, shows, asks, and carries out. */
import { wantedFor, timeScaleOf } from "../apply/design.ts";
import { actionRunner, type DeedParts } from "../apply/deeds.ts";
import { execute, type Execution } from "../apply/execute.ts";
import { ownProgram } from "../apply/program-source.ts";
import { Fault } from "../base/fault.ts";
import { formatProblem } from "../model/problem.ts";
import { makePlan } from "../plan/make-plan.ts";
import type { Plan, Report } from "../plan/plan.ts";
import { renderPlan } from "../plan/render.ts";
import { systemClock } from "../system/clock.ts";
import type { CliCommand, Io } from "./command.ts";
import { confirm, YES_OPTION, type AskYesNo } from "./confirm.ts";
import { FILE_OPTION, fileOption, readSpecFile, type SpecFile } from "./spec-file.ts";
import {
  CONSENT_OPTION,
  consentOption,
  shellsOf,
  surveyCluster,
  TIME_SCALE_OPTION,
  timeScaleOption,
  withAgentOf,
  type SurveyCluster,
  type Surveyed,
} from "./survey-cluster.ts";

export interface ApplyParts {
  readonly survey: SurveyCluster;
  /** Everything that the deeds work with. */
  readonly deeds: (file: SpecFile, surveyed: Surveyed, plan: Plan, timeScale: number | undefined, io: Io) => DeedParts;
  readonly carryOut: typeof execute;
  readonly ask?: AskYesNo;
}

export function applyCommand(parts: ApplyParts): CliCommand {
  return {
    words: ["apply"],
    summary: "make the nodes and the cluster what the spec says",
    details: [
      "Shows the plan and asks before it changes anything; without a terminal it wants --yes (exit status 3).",
      "Reaches the nodes as root by the system's OpenSSH. Nothing is formatted that carries something, unless",
      "--consent-format names it. The first failure ends it; the same command goes on from there.",
      "What stands in the way of a complete plan is told, and nothing is done; --partly does the rest all the same.",
      "With --json: { generation, number, actions: [{ kind, node, outcome, durationMs, … }], report, complete }.",
    ].join("\n"),
    arguments: [],
    options: [
      FILE_OPTION,
      YES_OPTION,
      CONSENT_OPTION,
      { flags: "--partly", help: "do what can be done although something stands in the way" },
      TIME_SCALE_OPTION,
    ],
    run: async ({ options, io }) => {
      const file = await readSpecFile(fileOption(options));
      for (const warning of file.warnings) io.progress(`warning: ${formatProblem(file.path, warning)}`);
      const timeScale = timeScaleOption(options);
      const consents = consentOption(options, file.spec);
      io.progress(`looking at ${file.spec.cluster.nodes.map(({ name }) => name).join(", ")} …`);
      const surveyed = await parts.survey(file, { timeScale, consents });
      const { plan, report } = makePlan(file.spec, surveyed.observed, surveyed.design);
      for (const line of renderPlan(file.spec.cluster.name, plan, report)) io.say(line);
      refuseIncomplete(report, options["partly"] === true);
      if (plan.actions.length === 0) {
        io.document({ ...plan, report, complete: report.blocked.length === 0 });
        return report.blocked.length === 0 ? 0 : 1;
      }
      await confirm(`carry out ${plan.actions.length} actions?`, options, io, parts.ask);
      const deeds = parts.deeds(file, surveyed, plan, timeScale, io);
      const startedMs = systemClock.monotonicMs();
      const execution = await parts.carryOut(plan, {
        run: actionRunner(deeds),
        clock: deeds.clock,
        progress: (line) => io.progress(line),
      });
      return conclude(plan, report, execution, systemClock.monotonicMs() - startedMs, io);
    },
  };
}

function refuseIncomplete(report: Report, partly: boolean): void {
  if (report.blocked.length === 0 || partly) return;
  throw new Fault({
    kind: "refused",
    code: "plan-incomplete",
    what: `nothing was changed: ${report.blocked.map(({ what }) => what).join("; ")}`,
    remedy: `${report.blocked.flatMap(({ remedy }) => remedy ?? []).join("; ")}. Or do the rest all the same: --partly`,
  });
}

function conclude(plan: Plan, report: Report, execution: Execution, durationMs: number, io: Io): number {
  const actions = execution.outcomes.map(({ action, outcome, durationMs: took }) => ({
    ...action,
    outcome,
    durationMs: Math.round(took),
  }));
  const done = execution.outcomes.filter(({ outcome }) => outcome === "done").length;
  const seconds = (durationMs / 1000).toFixed(1);
  if (execution.failure !== undefined) {
    io.progress(`${done} of ${plan.actions.length} actions done in ${seconds} s; the same command goes on from here`);
    throw execution.failure;
  }
  io.document({ generation: plan.generation, number: plan.number, actions, report, complete: true });
  io.say(`${done} actions done in ${seconds} s`);
  return report.blocked.length === 0 ? 0 : 1;
}

function realDeeds(file: SpecFile, surveyed: Surveyed, plan: Plan, timeScale: number | undefined, io: Io): DeedParts {
  const { spec, text } = file;
  const { design, looks } = surveyed;
  if (design === undefined) throw new Fault({ code: "design-missing", what: "the nodes were not looked at" });
  return {
    spec,
    specText: text,
    plan,
    design,
    wanted: wantedFor(spec, looks, timeScale),
    shell: shellsOf(spec),
    withAgent: (node, ask) => withAgentOf(spec, node, ask),
    program: ownProgram(),
    clock: systemClock,
    timeScale: timeScaleOf(looks, timeScale),
    progress: (line) => io.progress(line),
  };
}

export const APPLY = applyCommand({ survey: surveyCluster, deeds: realDeeds, carryOut: execute });
