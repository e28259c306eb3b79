import { bringUp } from "../lab/bring-up.ts";
import { isStock } from "../lab/stock-cluster.ts";
import { SUITES } from "../lab/recipe.ts";

import type { CliCommand } from "./command.ts";
import { TIME_SCALE } from "../lab/cluster.ts";
import { LAB_NAME_OPTION, labNamed, labWorld, numberOption, wordOption } from "./lab-options.ts";
import { applyToLab, serveLab } from "./lab-serve.ts";

const ENGINES = ["standalone", "pacemaker"] as const;
const CLUSTERS = ["none", "holdfast", "stock", "stock-tuned"] as const;

export const LAB_UP: CliCommand = {
  words: ["lab", "up"],
  summary: "build the image if needed, and start the machines",
  details: "What is not given stays as the lab was made; a new lab has 2 nodes, 1 client, Debian 13 and no cluster.",
  arguments: [],
  options: [
    LAB_NAME_OPTION,
    { flags: "--nodes <n>", help: "nodes n1, n2 … (1 to 8)" },
    { flags: "--clients <n>", help: "clients c1, c2 … (0 to 8)" },
    { flags: "--directors <n>", help: "directors d1, d2 … (0 to 4)" },
    { flags: "--suite <suite>", help: "Debian's name: trixie (13) or bookworm (12)" },
    {
      flags: "--cluster <kind>",
      help: "none, holdfast, stock (Pacemaker's usual NFS group, default timings) or stock-tuned (the same by an expert)",
    },
    {
      flags: "--engine <engine>",
      help: "of a Holdfast cluster: standalone (moves when told to) or pacemaker (fails over by itself)",
    },
  ],
  run: async ({ options, io }) => {
    const startedMs = performance.now();
    const { name, paths } = labNamed(options);
    const cluster = wordOption(options, "cluster", CLUSTERS);
    const report = await bringUp(labWorld(io), paths, name, {
      shape: {
        nodes: numberOption(options, "nodes"),
        clients: numberOption(options, "clients"),
        directors: numberOption(options, "directors"),
      },
      suite: wordOption(options, "suite", SUITES),
      cluster,
      engine: wordOption(options, "engine", ENGINES),
    });
    const { state } = report;
    // Directors, as a cluster with an engine, are set up as an administrator does it.
    if (state.cluster === "holdfast" && (state.engine === "pacemaker" || state.shape.directors > 0))
      await applyToLab(paths.spec, TIME_SCALE[state.accelerator], io);
    const served = state.cluster === "holdfast" && state.engine === "standalone" ? await serveLab(paths.spec, io) : [];
    const durationMs = Math.round(performance.now() - startedMs);
    io.say(
      `lab ${name} is up: ${report.machines.map((machine) => machine.name).join(", ")} (${report.state.accelerator}, ${(durationMs / 1000).toFixed(1)} s)`,
    );
    io.say(`try: holdfast lab ssh n1    or: ssh -F ${paths.sshConfig} n1`);
    if (report.state.cluster === "holdfast") io.say("     holdfast status    and: holdfast move home n2");
    if (isStock(state.cluster))
      io.say("     holdfast lab ssh n1 crm_mon -1    and: holdfast drill planned-move --lab " + name);
    io.document({
      name,
      folder: paths.folder,
      sshConfig: paths.sshConfig,
      accelerator: report.state.accelerator,
      suite: report.state.suite,
      cluster: report.state.cluster,
      machines: report.machines,
      deployed: report.deployed,
      broughtIntoService: served,
      durationMs,
    });
    return 0;
  },
};
