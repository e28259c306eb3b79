/** The cluster: from machines with only a base system to fileservers that Pacemaker keeps served. Verdicts, no times. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { DrillDocument } from "../../src/drill/document.ts";
import { bringClusterUp, holdfast, inMachine, LAB, said, servedBy, specFile, takeLabDown } from "./lab-under-test.ts";

const DRILL_TIMEOUT_MS = 900_000;
const COMMAND_TIMEOUT_MS = 300_000;

async function drill(words: readonly string[]): Promise<readonly DrillDocument[]> {
  const options = ["--lab", LAB, "--runs", "1", "--tree-files", "300", "--json"];
  const ran = await holdfast(["drill", ...words, ...options], DRILL_TIMEOUT_MS);
  assert.equal(ran.status, 0, said(ran));
  const printed = JSON.parse(ran.stdout) as DrillDocument | { readonly runs: readonly DrillDocument[] };
  return "runs" in printed ? printed.runs : [printed];
}

function assertNothingLost({ oracle, verdict, because }: DrillDocument): void {
  assert.equal(verdict, "pass", because.join("; "));
  assert.ok(oracle.acknowledgedWrites > 0);
  assert.equal(oracle.lostWrites + oracle.locksLost + oracle.staleReads + oracle.errorsSeenByApplications, 0);
}

before(bringClusterUp);
after(takeLabDown);

describe("a cluster made by apply", () => {
  test("Pacemaker serves both fileservers, and a second apply finds nothing to do", async () => {
    for (const name of ["home", "media"]) assert.match(String(await servedBy(name)), /^n[12]$/, name);
    const again = await holdfast(["apply", "--yes", "--json", "-f", specFile()], COMMAND_TIMEOUT_MS);
    assert.equal(again.status, 0, said(again));
    assert.deepEqual((JSON.parse(again.stdout) as { actions: readonly unknown[] }).actions, []);
    const verified = await inMachine("n1", "crm_verify --live-check");
    assert.equal(verified.status, 0, said(verified));
  });

  test("a planned move goes through the engine, and clients lose nothing", async () => {
    for (const document of await drill(["planned-move", "--protocol", "v4.2"])) assertNothingLost(document);
  });

  test("the serving node loses its power: it is fenced, the other takes over by itself, and nothing is lost", async () => {
    for (const document of await drill(["power-off", "--protocol", "v3"])) {
      assertNothingLost(document);
      assert.notEqual(document.to, document.from);
    }
  });

  test("fencing cannot be switched off", async () => {
    const off = await inMachine("n1", "crm_attribute --type crm_config --name stonith-enabled --update false");
    assert.equal(off.status, 0, said(off));
    const refused = await holdfast(["apply", "--yes", "-f", specFile()], COMMAND_TIMEOUT_MS);
    assert.equal(refused.status, 3, said(refused));
    assert.match(refused.stderr, /stonith-enabled/);
  });
});
