import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { sampleComparison } from "../../tests/sample-comparison.ts";
import type { Io } from "./command.ts";
import { compareSystems, readCompare } from "./drill-compare.ts";
import { readChoice } from "./drill-options.ts";

const DEFAULTS = { seed: "1", fileserver: "home", client: "c1", lab: "lab", treeFiles: "20000" };

function read(options: Readonly<Record<string, unknown>>): ReturnType<typeof readCompare> {
  const all = { ...DEFAULTS, ...options };
  return readCompare({ options: all }, readChoice(all));
}

test("what is compared is read, and what cannot be is refused before anything starts", () => {
  const { plan, folder } = read({ out: "/tmp/x", runs: "6", systems: "stock,holdfast" });
  assert.equal(folder, "/tmp/x");
  assert.deepEqual(plan, {
    systems: ["stock", "holdfast"],
    scenarios: ["planned-move", "power-off"],
    protocols: ["v3", "v4.2"],
    runs: 6,
    runsPerRound: 2,
  });
  assert.deepEqual(read({ out: "x" }).plan.systems, ["stock", "stock-tuned", "holdfast"]);
  for (const wrong of [
    {},
    { out: "x", systems: "ganesha" },
    { out: "x", systems: "stock,stock" },
    { out: "x", perRound: "0" },
  ])
    assert.throws(() => read(wrong), { kind: "invalid", code: "option-invalid" });
  assert.throws(() => read({ out: "x", scenarios: "tea" }), { code: "unknown-scenario" });
});

test("a report is drawn again from the results that are there", async () => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-compare-"));
  try {
    const sample = sampleComparison({ scenarios: ["planned-move"], protocols: ["v3"], runs: 3 });
    writeFileSync(join(folder, "results.json"), JSON.stringify({ ...sample, broken: [] }));
    const said: string[] = [];
    const documents: unknown[] = [];
    const io: Io = {
      json: false,
      terminal: false,
      say: (line) => void said.push(line),
      progress: () => undefined,
      document: (value) => void documents.push(value),
      closed: () => false,
    };
    const choice = readChoice(DEFAULTS);
    const own = { ...readCompare({ options: { ...DEFAULTS, out: folder, redraw: true } }, choice), choice };
    const none = { findCommand: () => Promise.resolve(undefined), runScenario: () => Promise.resolve([]) };
    assert.equal(await compareSystems({ ...none, ...own }, io), 0);
    assert.match(said.join("\n"), /^planned-move v3 pause .* times \(.* to .*\); goal 10: /m);
    assert.equal((documents[0] as { readonly runs: number }).runs, 9);
    assert.match(readFileSync(join(folder, "report.html"), "utf8"), /^<!doctype html>/);
    assert.match(readFileSync(join(folder, "pauses-planned-move.svg"), "utf8"), /<style>/);
    const again = JSON.parse(readFileSync(join(folder, "results.json"), "utf8")) as { readonly ratios: unknown[] };
    assert.ok(again.ratios.length > 0);
    rmSync(join(folder, "results.json"));
    await assert.rejects(compareSystems({ ...none, ...own }, io), { code: "option-invalid" });
    assert.ok(!existsSync(join(folder, "results.json")));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
