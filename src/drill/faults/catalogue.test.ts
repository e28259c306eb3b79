import assert from "node:assert/strict";
import { test } from "node:test";
import { matchesGolden } from "../../../tests/golden.ts";
import { FAULTS } from "./catalogue.ts";
import { CAMPAIGN_DOCUMENTS, campaignCases } from "./campaign-plan.ts";
import { casesOf, describeStep, FAULT_GROUPS, type FaultDocument, type FaultStep } from "./fault-words.ts";
import { INSIDE_SCRIPTS } from "./inside-scripts.ts";

/** What others call (the interface), and what the task asks for. */
const NAMES = [
  "power-off",
  "freeze-thaw",
  "cluster-link-cut",
  "storage-cut",
  "client-network-cut",
  "fence-failure",
  "both-power-off",
  "simultaneous-boot",
  "standby",
  "kernel-panic",
  "move-during-move",
  "nfsd-killed",
  "mountd-killed",
  "statd-killed",
  "slow-disk",
  "failing-disk",
  "full-disk",
  "clock-jump",
  "memory-pressure",
  "director-move",
  "director-power-off",
  "director-loss",
];

function textOf({ name, group, load, standsFor, mustHold, variants }: FaultDocument): string {
  const lines = variants.flatMap(({ name: variant, steps, holds }) => [
    `  ${variant}: clients wait at most ${holds.returnsWithinMs / 1000} s`,
    ...steps.map((step) => `    ${describeStep(step)}`),
  ]);
  return [`${name} (${group}, ${load})`, `  stands for: ${standsFor}`, `  must hold: ${mustHold}`, ...lines].join("\n");
}

test("the documents, as text", () => {
  matchesGolden("drill/faults.txt", `${FAULTS.map(textOf).join("\n\n")}\n`);
});

test("every fault has its document, once, under a heading that exists", () => {
  const names = FAULTS.map(({ name }) => name);
  assert.deepEqual(
    NAMES.filter((name) => !names.includes(name)),
    [],
  );
  assert.equal(new Set(names).size, names.length);
  for (const { group } of FAULTS) assert.ok(FAULT_GROUPS.includes(group));
});

const ends = (step: FaultStep): boolean => step.do === "expect-served";

test("every variant says who serves in the end, and what it takes away it gives back or leaves to the mending", () => {
  for (const { name, variants } of [...FAULTS, ...CAMPAIGN_DOCUMENTS]) {
    assert.equal(new Set(variants.map((variant) => variant.name)).size, variants.length, name);
    for (const { steps, holds } of variants) {
      assert.ok(steps.some(ends), `${name} does not say who serves`);
      assert.ok(holds.returnsWithinMs > 0);
      const count = (word: FaultStep["do"]): number => steps.filter((step) => step.do === word).length;
      assert.equal(count("freeze"), count("thaw"), name);
      assert.ok(count("cut") + count("slow-disk") + count("fail-disk") === 0 || count("heal") > 0, name);
    }
  }
});

test("what is undone by a step has a script that undoes it", () => {
  const undone = FAULTS.flatMap(({ variants }) => variants.flatMap(({ steps }) => steps)).flatMap((step) =>
    step.do === "undo" ? [step.deed] : [],
  );
  assert.ok(undone.length > 0);
  for (const deed of undone) assert.equal(typeof INSIDE_SCRIPTS[deed].undo, "string", deed);
});

test("runs take the variants in turn", () => {
  const [freeze] = FAULTS.filter(({ name }) => name === "freeze-thaw");
  assert.ok(freeze !== undefined);
  assert.deepEqual(
    casesOf(freeze, 4).map(({ variant }) => variant.name),
    ["2s", "10s", "60s", "2s"],
  );
});

test("a campaign is its seed: the same twice, another with another, every class once in each round", () => {
  const take = (seed: number, count: number): readonly string[] => {
    const cases = campaignCases(seed);
    return Array.from({ length: count }, () => {
      const { document, variant } = cases.next().value;
      return `${document.name}/${variant.name}`;
    });
  };
  const all = CAMPAIGN_DOCUMENTS.length;
  assert.deepEqual(take(7, 60), take(7, 60));
  assert.notDeepEqual(take(7, 60), take(8, 60));
  const three = take(7, 3 * all).map((name) => name.split("/")[0]);
  for (const { name } of CAMPAIGN_DOCUMENTS) assert.equal(three.filter((one) => one === name).length, 3, name);
  assert.ok(!three.includes("failing-disk"));
  assert.equal(new Set(take(7, 3 * all).filter((one) => one.startsWith("freeze-thaw"))).size, 3);
});
