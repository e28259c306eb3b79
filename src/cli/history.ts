import { drawTimeline } from "../drill/draw.ts";
import type { Timeline } from "../wire/timeline.ts";
import type { CliCommand } from "./command.ts";
import { unknownName } from "./move.ts";
import { askNodes } from "./reach.ts";
import { FILE_OPTION, fileOption, readSpecFile } from "./spec-file.ts";

const WIDTH_DEFAULT = 100;
const SHOWN_DEFAULT = 4;

export const HISTORY: CliCommand = {
  words: ["history"],
  summary: "past takeovers and releases with their timelines",
  details: "Agents keep the last 200 runs of each fileserver until they are restarted.",
  arguments: [{ name: "fileserver", help: "only this one", optional: true }],
  options: [FILE_OPTION, { flags: "--last <count>", help: "how many to draw", default: SHOWN_DEFAULT }],
  run: async ({ args, options, io }) => {
    const { spec } = await readSpecFile(fileOption(options));
    const names = spec.fileservers.map((one) => one.name as string);
    const [only] = args;
    if (only !== undefined && !names.includes(only)) throw unknownName("fileserver", only, names);
    const replies = await askNodes(spec, async ({ agent }) =>
      (await Promise.all((only === undefined ? names : [only]).map((name) => agent.history(name)))).flat(),
    );
    const runs: Timeline[] = replies
      .flatMap(({ result }) => (result.ok ? [...result.value] : []))
      .sort((a, b) => a.startedAtMs - b.startedAtMs);
    io.document({ runs, unreached: replies.filter(({ result }) => !result.ok).map(({ node }) => node) });
    for (const run of runs.slice(-Number(options["last"]))) {
      io.say(
        `${new Date(run.startedAtMs).toISOString()}  ${run.kind} of ${run.fileserver} on ${run.node}: ${run.outcome}`,
      );
      io.say(drawTimeline(run, { width: process.stdout.columns ?? WIDTH_DEFAULT, unicode: true }));
    }
    return replies.every(({ result }) => result.ok) ? 0 : 1;
  },
};
