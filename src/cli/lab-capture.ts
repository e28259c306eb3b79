import { Fault } from "../base/fault.ts";
import { openLab } from "../lab/open.ts";
import { NETWORKS } from "../lab/plan.ts";
import type { CliCommand } from "./command.ts";
import { LAB_NAME_OPTION, labNamed, numberOption } from "./lab-options.ts";

const SECONDS_MAX = 3600;

export const LAB_CAPTURE: CliCommand = {
  words: ["lab", "capture"],
  summary: "write what crosses the switch to a pcap file, until interrupted or for --seconds",
  arguments: [
    { name: "network", help: "lan, ring or san" },
    { name: "file", help: "overwritten when it exists" },
  ],
  options: [
    LAB_NAME_OPTION,
    { flags: "--seconds <n>", help: `how long; default until interrupted, at most ${SECONDS_MAX}` },
    { flags: "--dropped", help: "also frames that a fault dropped" },
  ],
  run: async ({ args, options, io }) => {
    const [wanted, file] = args;
    const network = NETWORKS.find((name) => name === wanted);
    const seconds = numberOption(options, "seconds") ?? SECONDS_MAX;
    if (network === undefined || file === undefined || seconds <= 0 || seconds > SECONDS_MAX) {
      throw new Fault({
        kind: "invalid",
        code: "lab-capture-invalid",
        what: network === undefined ? `there is no network "${wanted}"` : `--seconds must be from 1 to ${SECONDS_MAX}`,
        remedy: `networks are ${NETWORKS.join(", ")}`,
      });
    }
    const lab = await openLab(labNamed(options).name);
    await lab.net.startCapture(network, { file, includeDropped: options["dropped"] === true });
    io.progress(`capturing ${network} into ${file}${options["seconds"] === undefined ? "; interrupt to end" : ""}`);
    await waitOrInterrupt(seconds * 1000);
    const result = await lab.net.stopCapture(network);
    io.say(`captured ${network} into ${file}: ${JSON.stringify(result)}`);
    io.document(result);
    return 0;
  },
};

function waitOrInterrupt(durationMs: number): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      process.off("SIGINT", done).off("SIGTERM", done);
      resolve();
    };
    const timer = setTimeout(done, durationMs);
    process.on("SIGINT", done).on("SIGTERM", done);
  });
}
