import { labDown } from "../lab/down.ts";
import type { CliCommand } from "./command.ts";
import { LAB_NAME_OPTION, labNamed, labWorld } from "./lab-options.ts";

export const LAB_DOWN: CliCommand = {
  words: ["lab", "down"],
  summary: "stop the machines; the next `lab up` goes on where they were",
  arguments: [],
  options: [
    LAB_NAME_OPTION,
    { flags: "--power-off", help: "keep disks only: the next `lab up` boots" },
    { flags: "--wipe", help: "forget disks and memory too (the image stays in the cache)" },
  ],
  run: async ({ options, io }) => {
    const { name, paths } = labNamed(options);
    const report = await labDown(labWorld(io), paths, {
      wipe: options["wipe"] === true,
      powerOff: options["powerOff"] === true,
    });
    const parts = [
      ...(report.asleep.length === 0 ? [] : [`asleep: ${report.asleep.join(", ")}`]),
      ...(report.off.length === 0 ? [] : [`off: ${report.off.join(", ")}`]),
      ...(report.wiped ? ["disks wiped"] : []),
    ];
    io.say(`lab ${name} is down${parts.length === 0 ? "" : ` (${parts.join("; ")})`}`);
    io.document({ name, ...report });
    return 0;
  },
};
