import { runAgent } from "../agent/program.ts";
import { PLACES } from "../agent/places.ts";
import { Fault } from "../base/fault.ts";
import type { CliCommand } from "./command.ts";
import packageJson from "../../package.json" with { type: "json" };

export const AGENT: CliCommand = {
  words: ["agent"],
  summary: "the service that carries fileservers on this node",
  details:
    "Runs in the foreground until SIGTERM; normally started by systemd (holdfast-agent.service). Fileservers go on when it ends.\n" +
    "HOLDFAST_TIME_SCALE multiplies every time limit: 1 on real machines, more where machines are emulated.",
  arguments: [],
  options: [
    { flags: "-f, --file <path>", help: "the spec", default: PLACES.spec },
    { flags: "--socket <path>", help: "where to listen", default: PLACES.socket },
    { flags: "--node <name>", help: "this node's name in the spec, if it is not the host name" },
  ],
  run: async ({ options }) => {
    const node = options["node"];
    await runAgent({
      specPath: String(options["file"]),
      socket: String(options["socket"]),
      version: packageJson.version,
      timeScale: timeScaleFrom(process.env["HOLDFAST_TIME_SCALE"]),
      ...(typeof node === "string" ? { nodeName: node } : {}),
    });
    // Looks that are under way, and questions to a storage that hangs, are waited for by nobody.
    process.exit(0);
  },
};

const TIME_SCALE_MAX = 1000;

export function timeScaleFrom(text: string | undefined): number {
  if (text === undefined || text === "") return 1;
  const scale = Number(text);
  if (scale >= 1 && scale <= TIME_SCALE_MAX) return scale;
  throw new Fault({
    kind: "invalid",
    code: "time-scale",
    what: `HOLDFAST_TIME_SCALE is ${JSON.stringify(text)}`,
    remedy: `give a number from 1 to ${TIME_SCALE_MAX}`,
  });
}
