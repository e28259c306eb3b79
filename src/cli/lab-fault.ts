import { FAULT_USAGE, parseFault } from "../lab/fault-words.ts";
import { openLab } from "../lab/open.ts";
import type { CliCommand } from "./command.ts";
import { LAB_NAME_OPTION, labNamed, numberOption, textOption } from "./lab-options.ts";

const KINDS = Object.entries(FAULT_USAGE).map(([kind, usage]) => `  ${kind} ${usage}`);

export const LAB_FAULT: CliCommand = {
  words: ["lab", "fault"],
  summary: "break something, or mend it",
  details: `Kinds:\n${KINDS.join("\n")}\n\nNetworks are lan, ring and san; in is towards the machine, out from it. LUNs are lun0 and lun1; a machine's name stands for its system disk.`,
  arguments: [
    { name: "kind", help: "see below" },
    { name: "target", help: "a machine, a LUN", optional: true },
    { name: "more", help: "a network, a process", optional: true },
  ],
  options: [
    LAB_NAME_OPTION,
    { flags: "--direction <direction>", help: "in, out or both (default both)" },
    { flags: "--percent <p>", help: "loss: of frames" },
    { flags: "--ms <n>", help: "delay: of every frame" },
    { flags: "--jitter <n>", help: "delay: added at random, up to this many ms" },
    { flags: "--iops <n>", help: "slow-disk: requests per second" },
    { flags: "--bytes-per-second <n>", help: "slow-disk" },
    { flags: "--on <operations>", help: "fail-disk: read, write, flush (default all)" },
    { flags: "--signal <name>", help: "kill: default KILL" },
    { flags: "--no-wait", help: "power-on: do not wait until it has booted" },
  ],
  run: async ({ args, options, io }) => {
    const lab = await openLab(labNamed(options).name, (line) => io.progress(line));
    const text = (name: string): string | undefined => textOption(options, name);
    const fault = parseFault(
      args,
      {
        direction: text("direction"),
        percent: numberOption(options, "percent"),
        ms: numberOption(options, "ms"),
        jitter: numberOption(options, "jitter"),
        iops: numberOption(options, "iops"),
        bytesPerSecond: numberOption(options, "bytesPerSecond"),
        on: text("on"),
        signal: text("signal"),
      },
      lab.machines.map((machine) => machine.name),
    );
    if (fault.kind === "power-on") await lab.powerOn(fault.machine, { wait: options["wait"] !== false });
    else await lab.inject(fault);
    io.say(`${args.join(" ")}: done`);
    io.document(fault);
    return 0;
  },
};
