import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { localDrill } from "../../../tests/local-drill.ts";
import type { DrillDocument } from "../document.ts";
import { runCampaign, type CampaignReport } from "./campaign.ts";
import type { FaultCase } from "./fault-words.ts";

const CLEAN = {
  acknowledgedWrites: 9,
  lostWrites: 0,
  tornWrites: 0,
  locksHeld: 8,
  locksLost: 0,
  grantedTwice: 0,
  staleReads: 0,
  errorsSeenByApplications: 0,
};

function ended({ document, variant }: FaultCase, because: readonly string[]): DrillDocument {
  const fault = { name: document.name, variant: variant.name, standsFor: "", samples: 1, unservedMs: 0 };
  const names = {
    scenario: "campaign",
    fileserver: "home",
    protocol: "all",
    system: "holdfast",
    accelerator: "tcg",
  } as const;
  const verdict = because.length === 0 ? "pass" : "fail";
  const place = { seed: 1, run: 1, from: "n1", to: "n2", pauseMs: { write: 900 }, timeline: [], oraclesFailed: [] };
  return { ...names, ...place, fault, oracle: CLEAN, verdict, because };
}

interface Played {
  readonly report: CampaignReport;
  readonly told: readonly string[];
  readonly ledger: readonly { readonly event: string }[];
}

/** @param fails the fault, from 1, that brings a violation */
async function play(seed: number, fails: number, minutes = 1): Promise<Played> {
  const drill = await localDrill();
  const folder = mkdtempSync(join(tmpdir(), "holdfast-campaign-"));
  try {
    const { world, settings } = drill.fake(() => Promise.resolve());
    const told: string[] = [];
    const ledger = join(folder, "new/ledger.jsonl");
    let [count, nowMs] = [0, 0];
    const clock = { ...world.clock, monotonicMs: () => nowMs };
    const session: Parameters<typeof runCampaign>[2]["session"] = async (_, __, { cases, begins }) => {
      const documents: DrillDocument[] = [];
      for (const fault of cases) {
        begins?.(fault);
        count += 1;
        nowMs += 10_000;
        documents.push(ended(fault, count === fails ? ["3 acknowledged writes were lost"] : []));
        if (count === fails) break;
      }
      return { documents, measured: undefined as never };
    };
    const tell = (line: string): void => void told.push(line);
    const report = await runCampaign({ ...world, clock }, { ...settings, seed }, { minutes, ledger, tell, session });
    const lines = readFileSync(ledger, "utf8").trim().split("\n");
    return { report, told, ledger: lines.map((line) => JSON.parse(line) as { event: string }) };
  } finally {
    drill.remove();
    rmSync(folder, { recursive: true });
  }
}

test("as long as it is told, in whole sessions; the same faults with the same seed", async () => {
  const first = await play(3, 0, 2);
  assert.equal(first.report.verdict, "pass");
  assert.equal(first.report.campaign.faults, 12);
  assert.equal(first.told.length, 12);
  assert.match(first.told[11] ?? "", /^ {2}12 {2}\S+\/\S+ +n1 -> n2 {2}write 900 ms, lock \? ms +pass$/);
  const again = await play(3, 0, 2);
  assert.deepEqual(again.told, first.told);
  assert.notDeepEqual((await play(4, 0, 2)).told, first.told);
});

test("it stops at the first violation, which the ledger has", async () => {
  const { report, told, ledger } = await play(3, 8, 60);
  assert.equal(report.verdict, "fail");
  assert.equal(report.campaign.faults, 8);
  assert.match(report.because.join("; "), /^\S+ \(\S+\): 3 acknowledged writes were lost$/);
  assert.match(told[7] ?? "", /fail: 3 acknowledged writes were lost$/);
  const count = (event: string): number => ledger.filter((entry) => entry.event === event).length;
  assert.deepEqual([count("campaign"), count("begins"), count("ended"), count("campaign-ended")], [1, 8, 8, 1]);
});
