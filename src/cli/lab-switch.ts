import { main } from "../lab/switch/program.ts";
import type { CliCommand } from "./command.ts";

export const LAB_SWITCH: CliCommand = {
  words: ["lab", "switch"],
  summary: "the lab's Ethernet switch; `lab up` starts it",
  arguments: [{ name: "config", help: "a JSON file (see src/lab/switch/config.ts)" }],
  options: [],
  run: ({ args }) => main(args),
};
