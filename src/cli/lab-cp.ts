import { openLab } from "../lab/open.ts";
import { runChecked } from "../system/commands.ts";
import type { CliCommand } from "./command.ts";
import { LAB_NAME_OPTION, labNamed, labWorld } from "./lab-options.ts";

const COPY_TIMEOUT_MS = 600_000;

export const LAB_CP: CliCommand = {
  words: ["lab", "cp"],
  summary: "copy files or folders; a remote side is NAME:PATH",
  arguments: [
    { name: "source", help: "PATH or NAME:PATH" },
    { name: "destination", help: "PATH or NAME:PATH" },
  ],
  options: [LAB_NAME_OPTION],
  run: async ({ args, options, io }) => {
    const [source, destination] = args;
    const lab = await openLab(labNamed(options).name);
    await runChecked(labWorld(io).commands, {
      tool: "scp",
      args: ["-q", "-r", "-F", lab.sshConfigPath, "--", String(source), String(destination)],
      timeoutMs: COPY_TIMEOUT_MS,
    });
    io.document({ source, destination });
    return 0;
  },
};
