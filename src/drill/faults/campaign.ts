/** Faults without end, drawn from a seed, with every oracle at work; it stops at the first violation and keeps what it found. */
import { appendFile, mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { messageOf } from "../../base/fault.ts";
import { verdictOf, type DrillDocument, type Verdict } from "../document.ts";
import type { World } from "../measure.ts";
import type { DrillSettings } from "../scenario.ts";
import { campaignCases } from "./campaign-plan.ts";
import { runFaults } from "./fault-drill.ts";
import type { FaultCase } from "./fault-words.ts";

/** One session of the clients for so many: setting them up costs as much as a fault, and what was acknowledged is read back at the end of each. */
const FAULTS_PER_SESSION = 6;
const SESSIONS_MAX = 10_000;

export interface CampaignSettings {
  readonly minutes: number;
  /** On this machine; a line of JSON for each thing that happens. */
  readonly ledger: string;
  /** One line for each fault that is over. */
  readonly tell: (line: string) => void;
  /** Another only in tests. */
  readonly session?: typeof runFaults;
}

export interface CampaignReport {
  readonly campaign: {
    readonly seed: number;
    readonly minutes: number;
    readonly faults: number;
    /** How often each class came. */
    readonly classes: Readonly<Record<string, number>>;
    readonly ledger: string;
  };
  readonly runs: readonly DrillDocument[];
  readonly verdict: Verdict;
  readonly because: readonly string[];
}

export async function runCampaign(
  world: World,
  settings: DrillSettings,
  { minutes, ledger, tell, session: runSession = runFaults }: CampaignSettings,
): Promise<CampaignReport> {
  const { seed } = settings;
  const cases = campaignCases(seed);
  const endMs = world.clock.monotonicMs() + minutes * 60_000;
  const runs: DrillDocument[] = [];
  const because: string[] = [];
  await mkdir(dirname(ledger), { recursive: true });
  const write = (entry: object): Promise<void> =>
    appendFile(ledger, `${JSON.stringify({ at: new Date(world.clock.wallMs()).toISOString(), ...entry })}\n`);
  await write({
    event: "campaign",
    seed,
    minutes,
    fileserver: settings.fileserver.name,
    accelerator: world.accelerator,
  });
  for (let session = 0; session < SESSIONS_MAX; session += 1) {
    if (because.length > 0 || world.clock.monotonicMs() >= endMs) break;
    const some = Array.from({ length: FAULTS_PER_SESSION }, () => cases.next().value);
    let begun = runs.length;
    const begins = ({ document, variant }: FaultCase): void => {
      begun += 1;
      // Nothing waits for it: what was begun is for someone who finds the campaign dead.
      void write({ event: "begins", fault: begun, name: document.name, variant: variant.name });
    };
    try {
      const plan = { name: "campaign", cases: some, load: settings.load ?? "locks", begins } as const;
      const { documents } = await runSession(world, { ...settings, seed: seed + session, runs: some.length }, plan);
      for (const document of documents) {
        runs.push({ ...document, run: runs.length + 1 });
        tell(lineOf(document, runs.length));
        await write({ event: "ended", fault: runs.length, document });
      }
      because.push(...documents.filter(({ verdict }) => verdict === "fail").flatMap((one) => reasonsOf(one)));
      if (documents.length < some.length && because.length === 0) because.push("a session ended before its faults");
    } catch (error) {
      because.push(`the campaign itself failed: ${messageOf(error)}`);
      await write({ event: "failed", because: messageOf(error) });
    }
  }
  const classes: Record<string, number> = {};
  for (const { fault } of runs) if (fault !== undefined) classes[fault.name] = (classes[fault.name] ?? 0) + 1;
  const verdict = runs.length === 0 ? "fail" : verdictOf(because);
  await write({ event: "campaign-ended", faults: runs.length, verdict, because });
  return { campaign: { seed, minutes, faults: runs.length, classes, ledger }, runs, verdict, because };
}

function reasonsOf({ fault, because }: DrillDocument): readonly string[] {
  const [first = "it failed", ...more] = because;
  const rest = more.length === 0 ? "" : `, and ${more.length} more`;
  return [`${fault?.name ?? "?"} (${fault?.variant ?? "?"}): ${first}${rest}`];
}

/** "  12  freeze-thaw/10s            n1 -> n2   write 8210 ms, lock 9800 ms   pass" */
export function lineOf({ fault, from, to, pauseMs, verdict, because }: DrillDocument, number: number): string {
  const name = `${fault?.name ?? "?"}/${fault?.variant ?? "?"}`.padEnd(36);
  const pause = `write ${pauseMs.write ?? "?"} ms, lock ${pauseMs.lock ?? "?"} ms`;
  const reason = verdict === "pass" ? "" : `: ${because[0] ?? ""}`;
  return `${String(number).padStart(4)}  ${name} ${from} -> ${to}  ${pause.padEnd(34)}  ${verdict}${reason}`;
}
