import { reportOf, type DrillDocument, type DrillReport, type OracleCounts } from "../drill/document.ts";
import { terminalSettings } from "../drill/draw.ts";
import type { Protocol } from "../drill/names.ts";
import { renderSummary } from "../drill/render.ts";
import { findScenario } from "../drill/scenarios.ts";
import { TREE_FILES_MIN } from "../drill/tree.ts";
import { systemClock } from "../system/clock.ts";
import type { CliCommand, Invocation, Io } from "./command.ts";
import { withDrillLab, type DrillLab } from "./drill-lab.ts";
import { resultLines, runScenario } from "./drill.ts";
import type { FindCommand } from "./run-quietly.ts";

/** There and back. */
const RUNS = 2;
const DEMO_PROTOCOLS: readonly Protocol[] = ["v4.2", "v3"];
const LAB = "lab";

const NEXT_STEPS: readonly string[] = [
  "The lab is running. Try:",
  "  ./holdfast status                           what runs where",
  "  ./holdfast move home                        to the other node; watch a client meanwhile:",
  "  ./holdfast lab ssh c1                       a shell on the client, e.g. mount -t nfs home:/export/data /mnt",
  "  ./holdfast drill planned-move --runs 10     the pause, measured ten times",
  "  ./holdfast drill neighbour                  what a second fileserver's client notices",
  "  ./holdfast lab down                         stop everything",
];

export function demoCommand(findCommand: FindCommand): CliCommand {
  return {
    words: ["demo"],
    summary: "bring a lab up, move a fileserver there and back under a working client, show what the client saw",
    details: "./demo at the root of the source does the same, and installs what is missing first.",
    arguments: [],
    options: [{ flags: "--keep", help: "leave everything running, and say what to try next" }],
    run: (invocation) => runDemo(findCommand, invocation),
  };
}

export interface Phase {
  readonly what: string;
  readonly durationMs: number;
}

async function runDemo(findCommand: FindCommand, { options, io }: Invocation): Promise<number> {
  const startMs = systemClock.monotonicMs();
  const phases: Phase[] = [];
  const elapsed = (): number => systemClock.monotonicMs() - startMs;
  const progress = (line: string): void => io.progress(`${stamp(elapsed())} ${line}`);
  let phaseStartMs = 0;
  const endPhase = (what: string): void => {
    phases.push({ what, durationMs: elapsed() - phaseStartMs });
    phaseStartMs = elapsed();
  };
  const keep = options["keep"] === true;
  let found = false;
  const documents = await withDrillLab(findCommand, { name: LAB, keep, wipe: true }, progress, async (lab) => {
    found = lab.found;
    endPhase(lab.found ? "finding the lab that runs" : "bringing the lab up");
    return moveThereAndBack(lab, io, endPhase);
  });
  endPhase(keep || found ? "leaving the lab as it is" : "taking the lab down");
  const report = reportOf(documents);
  const times = whatTookIt(phases, elapsed());
  io.document(documents);
  for (const line of ["", ...renderSummary(report), "", ...zeroErrors(report), "", ...times]) io.say(line);
  for (const line of io.json ? times : []) io.progress(line);
  for (const line of keep || found ? ["", ...NEXT_STEPS] : []) io.say(line);
  return report.verdict === "pass" ? 0 : 1;
}

/** The sentence that the demo is for. */
export function zeroErrors({ runs }: DrillReport): readonly string[] {
  const sum = (of: (oracle: OracleCounts) => number): number => runs.reduce((total, run) => total + of(run.oracle), 0);
  const writes = sum((oracle) => oracle.acknowledgedWrites);
  const counts = [
    `${sum((oracle) => oracle.errorsSeenByApplications)} errors seen by applications`,
    `${sum((oracle) => oracle.lostWrites)} of ${writes} acknowledged writes lost`,
    `${sum((oracle) => oracle.locksLost)} locks lost`,
    `${sum((oracle) => oracle.staleReads)} stale reads`,
  ];
  const failed = runs.flatMap((run) => run.because);
  return [`${runs.length} moves: ${counts.join(", ")}`, ...failed.map((reason) => `  because: ${reason}`)];
}

async function moveThereAndBack(
  lab: DrillLab,
  io: Io,
  endPhase: (what: string) => void,
): Promise<readonly DrillDocument[]> {
  const scenario = findScenario("planned-move");
  const fileserver = lab.fileservers[0]?.name ?? "home";
  const settings = terminalSettings(process.stdout.columns, process.env);
  const documents: DrillDocument[] = [];
  for (const protocol of DEMO_PROTOCOLS) {
    const choice = {
      protocols: [protocol],
      family: 4 as const,
      runs: RUNS,
      seed: 1,
      fileserver,
      client: "c1",
      treeFiles: TREE_FILES_MIN,
    };
    const results = await runScenario(lab, scenario, choice);
    for (const line of results.flatMap((result) => resultLines(result, settings))) io.say(line);
    documents.push(...results.flatMap((result) => result.documents));
    endPhase(`${protocol}: the client's work, ${RUNS} moves, reading back`);
  }
  return documents;
}

/** "[ 12.3 s]" */
function stamp(durationMs: number): string {
  return `[${(durationMs / 1000).toFixed(1).padStart(6)} s]`;
}

export function whatTookIt(phases: readonly Phase[], totalMs: number): readonly string[] {
  const width = Math.max(...phases.map(({ what }) => what.length));
  const rows = [...phases, { what: "all together", durationMs: totalMs }];
  return rows.map(({ what, durationMs }) => `${what.padEnd(width)} ${(durationMs / 1000).toFixed(1).padStart(7)} s`);
}
