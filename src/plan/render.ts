/** The plan as text for a person. `--json` prints the same facts. */
import { unreachable } from "../base/assert.ts";
import type { Action, Effect, Note, Plan, Report } from "./plan.ts";
import { shortGeneration } from "./nodes.ts";

/** What a planned move or restart is built to stay under, in seconds; drills measure it. */
const PAUSE_GOAL_S = 2;

export function renderPlan(cluster: string, plan: Plan, report: Report): readonly string[] {
  const count = plan.actions.length;
  const head = `plan for cluster ${cluster}, generation ${shortGeneration(plan.generation)}`;
  return [
    count === 0
      ? `${head}: ${report.blocked.length === 0 ? "nothing to do" : "no action"}`
      : `${head}: ${count} ${count === 1 ? "action" : "actions"}`,
    ...plan.actions.map((action, index) => `  ${String(index + 1).padStart(2)}  ${actionText(action)}`),
    ...section("what clients would feel", report.effects.flatMap(effectLines)),
    ...section("not planned", report.blocked.flatMap(noteLines)),
    ...section("notes", report.notes.flatMap(noteLines)),
    verdict(plan, report),
  ];
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ["", `${title}:`, ...lines.map((line) => `  ${line}`)];
}

function verdict(plan: Plan, report: Report): string {
  const rest = report.blocked.length;
  if (rest > 0) return `\nthe plan is incomplete: ${rest} ${rest === 1 ? "thing stands" : "things stand"} in the way`;
  const partly = report.notes.some(({ code }) => code === "engine-not-there" || code === "directors-not-there");
  const everything = partly ? "everything that this release carries out" : "everything";
  return `\n${plan.actions.length === 0 ? "" : "after this, "}${everything} is as the spec says`;
}

function actionText(action: Action): string {
  return `${action.node.padEnd(8)} ${deedText(action)}  (${action.because})`;
}

function deedText(action: Action): string {
  switch (action.kind) {
    case "install-agent":
      return "install Holdfast";
    case "start-agent":
      return "start the agent";
    case "write-spec":
      return "write /etc/holdfast/holdfast.yaml";
    case "reload-agent":
      return "reload the agent";
    case "retire-node":
      return "remove the spec and stop the agent";
    case "takeover":
      return `take ${action.fileserver} over`;
    case "release":
      return `release ${action.fileserver}`;
    case "restart":
      return `restart ${action.fileserver}`;
    case "reload-exports":
      return `reload the exports of ${action.fileserver}`;
    case "move":
      return `move ${action.fileserver} to ${action.to}`;
    default:
      return unreachable(action);
  }
}

function effectLines(effect: Effect): readonly string[] {
  const changes = effect.changes.length === 0 ? "" : ` (${effect.changes.join(", ")})`;
  const lines = [`${effect.fileserver.padEnd(8)} ${feelText(effect.feel)}${changes}`];
  return [...lines, ...effect.losses.map((loss) => `${" ".repeat(8)} but ${loss}`)];
}

function feelText(feel: Effect["feel"]): string {
  switch (feel) {
    case "nothing":
      return "no pause";
    case "begins":
      return "begins to serve";
    case "pause":
      return `one pause of about ${PAUSE_GOAL_S} s`;
    case "ends":
      return "ends";
    case "unknown":
      return "nothing is planned, so nothing changes";
    default:
      return unreachable(feel);
  }
}

function noteLines(note: Note): readonly string[] {
  return note.remedy === undefined ? [note.what] : [note.what, `  do: ${note.remedy}`];
}
