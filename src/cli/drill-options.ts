/** What `holdfast drill` is told on its command line. */
import { Fault } from "../base/fault.ts";
import type { Load } from "../drill/faults/fault-words.ts";
import { LOSSES, parseProtocols, PROTOCOLS, type Family, type Loss, type Protocol } from "../drill/names.ts";
import { TREE_FILES_MIN } from "../drill/tree.ts";
import type { Invocation, Option } from "./command.ts";
import { numberOption, textOption, wordOption } from "./lab-options.ts";

const RUNS_MAX = 1000;
const MINUTES_UNLESS_SAID = 60;
/** A week. */
const MINUTES_MAX = 7 * 24 * 60;
const LOADS: readonly Load[] = ["probes", "locks"];

export const DRILL_OPTIONS: readonly Option[] = [
  { flags: "--list", help: "name the scenarios" },
  {
    flags: "--protocol <protocol>",
    help: "v3, v4.1, v4.2 or all (default v4.2; lock drills use all at once unless one is named)",
  },
  { flags: "--family <family>", help: "4 or 6: which of the fileserver's addresses the client uses", default: "4" },
  { flags: "--runs <n>", help: "how often, there and back in turn; prints a summary too" },
  { flags: "--seed <n>", help: "of everything that is random", default: "1" },
  { flags: "--fileserver <name>", help: "which fileserver the fault is for", default: "home" },
  { flags: "--client <machine>", help: "which machine measures", default: "c1" },
  {
    flags: "--clients <names>",
    help: "for drills of several clients, the one that measures first (default: the lab's)",
  },
  { flags: "--inject <loss>", help: `cause a loss on purpose, which has to make the drill fail: ${LOSSES.join(", ")}` },
  { flags: "--lab <name>", help: "which lab", default: "lab" },
  {
    flags: "--tree-files <n>",
    help: "files in the tree that the client works on",
    default: String(TREE_FILES_MIN),
  },
  { flags: "--load <load>", help: "of faults: probes (one client, timed finely) or locks (two clients, every oracle)" },
  { flags: "--minutes <n>", help: "campaign: for how long faults are begun (default 60)" },
  { flags: "--steps <ids>", help: "crash-points: only these steps, separated by commas" },
  { flags: "--systems <names>", help: "compare: which, in their order (default stock,stock-tuned,holdfast)" },
  { flags: "--scenarios <names>", help: "compare: which drills (default planned-move,power-off)" },
  { flags: "--per-round <n>", help: "compare: so many runs before the next system has its turn (default 2)" },
  { flags: "--out <folder>", help: "compare: where results.json, report.html and the pictures are put" },
  { flags: "--redraw", help: "compare: only the report once more, from the folder's results.json" },
  { flags: "--keep", help: "leave a lab that was brought up for this" },
];

export interface DrillChoice {
  /** Undefined when it was not given: the scenario has its own. */
  readonly protocols: readonly Protocol[] | undefined;
  readonly family: Family;
  /** Undefined when it was not given: as often as the scenario does by itself. */
  readonly runs: number | undefined;
  readonly seed: number;
  readonly fileserver: string;
  readonly client: string;
  /** Undefined: the lab's, `client` first. */
  readonly clients?: readonly string[];
  readonly inject?: Loss;
  /** Of faults; undefined: the scenario's own. */
  readonly load?: Load;
  /** Of a campaign. */
  readonly minutes: number;
  /** Of crash-points; undefined: all. */
  readonly steps?: readonly string[];
  readonly lab: string;
  readonly treeFiles: number;
}

/** Throws Faults of kind "invalid". */
export function readChoice(options: Invocation["options"]): DrillChoice {
  const clients = textOption(options, "clients")?.split(",");
  const inject = wordOption(options, "inject", LOSSES);
  const load = wordOption(options, "load", LOADS);
  const steps = textOption(options, "steps")?.split(",");
  return {
    protocols: readProtocols(textOption(options, "protocol")),
    family: wordOption(options, "family", ["4", "6"]) === "6" ? 6 : 4,
    runs: wholeNumber(options, "runs", "runs", 1, RUNS_MAX),
    seed: wholeNumber(options, "seed", "seed", 0, 2 ** 32 - 1) ?? 1,
    fileserver: String(options["fileserver"]),
    client: clients?.[0] ?? String(options["client"]),
    ...(clients === undefined ? {} : { clients }),
    ...(inject === undefined ? {} : { inject }),
    ...(load === undefined ? {} : { load }),
    minutes: wholeNumber(options, "minutes", "minutes", 1, MINUTES_MAX) ?? MINUTES_UNLESS_SAID,
    ...(steps === undefined ? {} : { steps }),
    lab: String(options["lab"]),
    treeFiles: wholeNumber(options, "treeFiles", "tree-files", 1, 1_000_000) ?? TREE_FILES_MIN,
  };
}

function readProtocols(word: string | undefined): readonly Protocol[] | undefined {
  if (word === undefined) return undefined;
  const protocols = parseProtocols(word);
  if (protocols !== undefined) return protocols;
  throw new Fault({
    kind: "invalid",
    code: "option-invalid",
    what: `--protocol ${word} is not known`,
    remedy: `use one of: ${PROTOCOLS.join(", ")}, all`,
  });
}

function wholeNumber(
  options: Invocation["options"],
  key: string,
  name: string,
  min: number,
  max: number,
): number | undefined {
  const value = numberOption({ [name]: options[key] }, name);
  if (value === undefined || (Number.isInteger(value) && value >= min && value <= max)) return value;
  throw new Fault({
    kind: "invalid",
    code: "option-invalid",
    what: `--${name} ${value} is not possible`,
    remedy: `give a whole number from ${min} to ${max}`,
  });
}
