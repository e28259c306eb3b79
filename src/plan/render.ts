/** The plan as text for a person. `--json` prints the same facts. */
import { unreachable } from "../base/assert.ts";
import type { FileName } from "./design.ts";
import type { Action, Effect, Note, Plan, Report, VolumeAction } from "./plan.ts";
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
    ...plan.actions.flatMap((action, index) => [
      `  ${String(index + 1).padStart(2)}  ${actionText(action)}`,
      ...detailLines(action).map((line) => `      ${" ".repeat(9)}${line}`),
    ]),
    ...section("what clients would feel", report.effects.flatMap(effectLines)),
    ...section("not planned", report.blocked.flatMap(noteLines)),
    ...section("notes", report.notes.flatMap(noteLines)),
    verdict(plan, report),
  ];
}

function detailLines(action: Action): readonly string[] {
  return action.kind === "write-cib" ? action.differences : [];
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ["", `${title}:`, ...lines.map((line) => `  ${line}`)];
}

function verdict(plan: Plan, report: Report): string {
  const rest = report.blocked.length;
  if (rest > 0) return `\nthe plan is incomplete: ${rest} ${rest === 1 ? "thing stands" : "things stand"} in the way`;
  return `\n${plan.actions.length === 0 ? "" : "after this, "}everything is as the spec says`;
}

function actionText(action: Action): string {
  return `${action.node.padEnd(8)} ${actionDeed(action)}  (${action.because})`;
}

/** What is done, without where and why. */
export function actionDeed(action: Action): string {
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
      return "end its services, and take its key and Holdfast off";
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
    case "mask-units":
      return `mask ${listText(action.units)}`;
    case "install-packages":
      return `install ${listText(action.packages)}`;
    case "set-system-id":
      return "give LVM a system ID, the node's name";
    case "put-program":
      return `copy Holdfast ${action.version} there`;
    case "write-file":
      return `write ${FILE_TEXTS[action.file]}`;
    case "put-secrets":
      return `give the secrets in ${action.file} to ${listText(action.devices)}`;
    case "make-volume":
      return makeVolumeText(action);
    case "share-authkey":
      return action.from === undefined
        ? `make the cluster's key, for ${listText(action.to)}`
        : `copy the cluster's key to ${listText(action.to)}`;
    case "share-director-secret":
      return action.from === undefined
        ? `make the secret of directors and nodes, ${action.file}, for ${listText(action.to)}`
        : `copy ${action.file} of ${action.from} to ${listText(action.to)}`;
    case "write-director-files":
      return `write ${listText(action.files)}`;
    case "start-director":
      return `start ${listText(action.units)}, now and at every start of the machine`;
    case "set-up-witness":
      return `set up the witness ${action.witness}`;
    case "start-cluster":
      return "start corosync and pacemaker, now and at every start of the machine";
    case "reload-corosync":
      return "have corosync read its configuration again";
    case "forget-node":
      return `take ${action.gone} out of Pacemaker's configuration`;
    case "write-cib":
      return "write the fileservers and their fencing into Pacemaker's configuration";
    case "settle":
      return `wait until ${listText(action.fileservers)} ${action.fileservers.length === 1 ? "is" : "are"} served`;
    default:
      return unreachable(action);
  }
}

const FILE_TEXTS: Readonly<Record<FileName, string>> = {
  "resource-agent": "the resource agent ocf:holdfast:fileserver",
  "fence-agent": "the fence agent fence_holdfast",
  "agent-unit": "the agent's unit",
  "agent-env": "the agent's time scale",
  "pacemaker-order": "what Pacemaker's start waits for",
  "corosync-conf": "/etc/corosync/corosync.conf",
};

function makeVolumeText(action: VolumeAction): string {
  const of = action.disks.length === 0 ? "" : ` of ${action.disks.join(", ")}`;
  const lost = action.overwrites.length === 0 ? "" : `, AND DESTROY what is on ${action.overwrites.join(", ")}`;
  return `make ${action.filesystem} on ${action.device}${of} for ${action.fileserver}${lost}`;
}

const LISTED_MAX = 6;

function listText(names: readonly string[]): string {
  const more = names.length - LISTED_MAX;
  return more > 0 ? `${names.slice(0, LISTED_MAX).join(", ")} and ${more} more` : names.join(", ");
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
