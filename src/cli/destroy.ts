/** `holdfast destroy`: takes the cluster apart; the data stays. */
import { takeApart, type TakeApartParts } from "../apply/take-apart.ts";
import { systemClock } from "../system/clock.ts";
import type { CliCommand, Io } from "./command.ts";
import { confirm, YES_OPTION, type AskYesNo } from "./confirm.ts";
import { FILE_OPTION, fileOption, readSpecFile, type SpecFile } from "./spec-file.ts";
import { shellsOf, TIME_SCALE_OPTION, timeScaleOption, withAgentOf } from "./survey-cluster.ts";

export type TakeApart = typeof takeApart;

export function destroyCommand(take: TakeApart, ask?: AskYesNo): CliCommand {
  return {
    words: ["destroy"],
    summary: "take the cluster apart without touching data",
    details: [
      "Releases every fileserver in good order, ends Pacemaker and corosync on every node, takes the nodes' keys off the",
      "LUNs and Holdfast's files off the nodes. Volumes, their data, packages and masked units stay as they are.",
      "Asks first; without a terminal it wants --yes (exit status 3).",
    ].join("\n"),
    arguments: [],
    options: [FILE_OPTION, YES_OPTION, TIME_SCALE_OPTION],
    run: async ({ options, io }) => {
      const file = await readSpecFile(fileOption(options));
      const { cluster, fileservers } = file.spec;
      const names = fileservers.map(({ name }) => name).join(", ") || "no fileserver";
      io.say(
        `cluster ${cluster.name}: ${names} will end for its clients, on ${cluster.nodes.map(({ name }) => name).join(", ")}`,
      );
      io.say("volumes and their data stay as they are");
      await confirm(`take cluster ${cluster.name} apart?`, options, io, ask);
      const notes = await take(partsFor(file, timeScaleOption(options), io));
      io.document({ cluster: cluster.name, notes });
      for (const note of notes) io.say(note);
      io.say(`cluster ${cluster.name} is taken apart; its data is on the volumes`);
      return 0;
    },
  };
}

function partsFor({ spec }: SpecFile, timeScale: number | undefined, io: Io): TakeApartParts {
  return {
    spec,
    shell: shellsOf(spec),
    withAgent: (node, ask) => withAgentOf(spec, node, ask),
    clock: systemClock,
    timeScale: timeScale ?? 1,
    progress: (line) => io.progress(line),
  };
}

export const DESTROY = destroyCommand(takeApart);
