/** `holdfast simulate`: the takeover logic against schedules of faults that are drawn from a seed. */
import { Fault } from "../base/fault.ts";
import { MUTATIONS } from "../simulation/mutations.ts";
import { huntMutations, openSimulation, traceSchedule, type SimulationReport } from "../simulation/simulate.ts";
import type { CliCommand, Invocation, Io } from "./command.ts";

const SCHEDULES_UNLESS_SAID = 10_000;
const SEED_UNLESS_SAID = 1;
/** Between two looks at the clock. */
const CHUNK = 200;
const PROGRESS_INTERVAL_MS = 5_000;
/** A seeded bug that so many schedules do not find is not found. */
const MUTATION_SCHEDULES_MAX = 30_000;

export const SIMULATE: CliCommand = {
  words: ["simulate"],
  summary: "try the takeover logic against random faults, in one process and virtual time",
  details:
    "A cluster, its storage and its clients are played; the decisions are the product's own. Exit status 1 when an\n" +
    "invariant broke; --seed S --schedules 1 --trace shows the whole story of a schedule. See docs/simulation.md.",
  arguments: [],
  options: [
    { flags: "--schedules <n>", help: "how many", default: SCHEDULES_UNLESS_SAID },
    { flags: "--seed <n>", help: "of the first; each following one has the next", default: SEED_UNLESS_SAID },
    { flags: "--trace", help: "print everything that happens in one schedule" },
    { flags: "--mutations", help: "run the seeded bugs instead, until each is found" },
  ],
  run: async (invocation) => {
    const seed = readNumber(invocation, "seed", 0);
    if (invocation.options["trace"] === true) return trace(seed, invocation.io);
    const schedules = readNumber(invocation, "schedules", 1);
    return invocation.options["mutations"] === true
      ? hunt(seed, invocation.io)
      : simulate(seed, schedules, invocation.io);
  },
};

function readNumber({ options }: Invocation, name: string, least: number): number {
  const number = Number(options[name]);
  if (Number.isSafeInteger(number) && number >= least) return number;
  throw new Fault({
    kind: "invalid",
    code: "option-invalid",
    what: `--${name} ${String(options[name])} is not a whole number from ${least} on`,
  });
}

async function simulate(seed: number, schedules: number, io: Io): Promise<number> {
  const simulation = openSimulation(seed);
  const startedMs = performance.now();
  let toldMs = startedMs;
  for (let done = 0; done < schedules;) {
    const more = Math.min(CHUNK, schedules - done);
    simulation.run(more);
    done += more;
    const nowMs = performance.now();
    if (nowMs - toldMs >= PROGRESS_INTERVAL_MS) {
      toldMs = nowMs;
      io.progress(progressLine(simulation.report(), schedules, nowMs - startedMs));
    }
    // Signals are heard only here.
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
  const report = simulation.report();
  const durationMs = Math.round(performance.now() - startedMs);
  io.document({ ...report, durationMs, verdict: report.violations === 0 ? "pass" : "fail" });
  for (const line of reportLines(report, durationMs)) io.say(line);
  return report.violations === 0 ? 0 : 1;
}

function progressLine({ schedules, violations }: SimulationReport, of: number, durationMs: number): string {
  const perSecond = Math.round((schedules / durationMs) * 1000);
  const left = Math.round((of - schedules) / Math.max(1, perSecond));
  return `${schedules} of ${of} schedules, ${violations} violations, ${perSecond} per second, ${left} s left`;
}

export function reportLines(report: SimulationReport, durationMs: number): readonly string[] {
  const { tally, schedules, seed } = report;
  const hours = (report.virtualMs / 3_600_000).toFixed(1);
  const faults = Object.values(report.faults).reduce((sum, count) => sum + count, 0);
  return [
    ...report.found.flatMap((one) => [
      `seed ${one.seed}: ${one.invariant}, ${(one.atMs / 1000).toFixed(3)} s: ${one.what}`,
      `  planned: ${one.faults.join(", ")}`,
      `  again: holdfast simulate --seed ${one.seed} --schedules 1 --trace`,
    ]),
    `${schedules} schedules from seed ${seed}: ${report.violations} violations`,
    `  ${hours} hours of virtual time, ${report.events} events, ${faults} faults in ${(durationMs / 1000).toFixed(1)} s`,
    `  ${tally.takeovers} takeovers, ${tally.releases} releases, ${tally.fences} fences, ${tally.reboots} restarts of nodes`,
    `  ${tally.writes} acknowledged writes, ${tally.locks} locks, ${tally.reclaims} reclaims, ${tally.givenUp} locks given up with reason`,
    `  a fenced node answered for at most ${Math.round(tally.doubleOpenMs)} ms beside its successor`,
  ];
}

function trace(seed: number, io: Io): number {
  const { result, lines } = traceSchedule(seed);
  for (const line of lines) io.say(line);
  io.document({ seed, trace: lines, violation: result.violation ?? null });
  return result.violation === undefined ? 0 : 1;
}

function hunt(seed: number, io: Io): number {
  const findings: object[] = [];
  let found = 0;
  for (const finding of huntMutations(seed, MUTATION_SCHEDULES_MAX)) {
    const { name, what } = finding.mutation;
    if (finding.found !== undefined) found += 1;
    const by = finding.found === undefined ? "not found" : finding.found.violation.invariant;
    findings.push({ name, what, schedules: finding.found?.schedules ?? null, foundBy: by });
    io.say(`${name.padEnd(32)} ${String(finding.found?.schedules ?? "").padStart(6)}  ${by}: ${what}`);
  }
  io.document({ seed, mutations: findings, found, of: MUTATIONS.length });
  io.say(`${found} of ${MUTATIONS.length} seeded bugs found`);
  return found === MUTATIONS.length ? 0 : 1;
}
