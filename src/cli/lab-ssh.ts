import { openLab } from "../lab/open.ts";
import { quoteForShell } from "../lab/ssh.ts";
import { runAttached } from "../system/processes.ts";
import { toolPath } from "../system/tools.ts";
import type { CliCommand } from "./command.ts";
import { LAB_NAME_OPTION, knownMachine, labNamed } from "./lab-options.ts";

export const LAB_SSH: CliCommand = {
  words: ["lab", "ssh"],
  summary: "a shell in a machine, or one command with its exit status and output passed through",
  details: "Example: holdfast lab ssh n1 -- systemctl status holdfast-agent",
  arguments: [
    { name: "machine", help: "n1, st, c1 …" },
    { name: "command", help: "after --", optional: true, variadic: true },
  ],
  options: [LAB_NAME_OPTION],
  run: async ({ args, options, io }) => {
    const [machine, ...argv] = args;
    const lab = await openLab(labNamed(options).name);
    const name = knownMachine(lab, machine);
    if (io.json) {
      const result = await lab.exec(name, argv);
      io.document({ machine: name, ...result });
      return result.status;
    }
    const terminal = argv.length === 0 && process.stdin.isTTY ? ["-t"] : ["-T"];
    // One word reaches the remote shell as it is, as with ssh itself; several are the words of one command.
    const command = argv.length === 1 ? argv : argv.map(quoteForShell);
    return runAttached(toolPath("ssh"), [
      "-F",
      lab.sshConfigPath,
      ...terminal,
      name,
      ...(command.length === 0 ? [] : ["--", command.join(" ")]),
    ]);
  },
};
