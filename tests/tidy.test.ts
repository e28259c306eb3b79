/**
 * The rules of the code, as tests. Each rule says what to do instead, and is first shown to find what is wrong
 * in small samples. Exceptions are tables with reasons, in the files of tests/tidy/.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CODE_RULES, NO_TEST_BESIDE } from "./tidy/code.ts";
import { LAYER_RULES, STARTS_PROGRAMS_ITSELF } from "./tidy/layers.ts";
import { REPOSITORY_RULES, commandsWithoutPage, stepsWithoutPage } from "./tidy/repository.ts";
import { file, findingText, repositoryFiles, type Rule } from "./tidy/rule.ts";

const files = repositoryFiles();
const rules: readonly Rule[] = [...LAYER_RULES, ...CODE_RULES, ...REPOSITORY_RULES];

describe("the rules themselves", () => {
  for (const rule of rules) {
    test(`${rule.name}: finds the wrong samples and lets the right ones be`, () => {
      assert.ok(rule.wrong.length > 0, "a rule without a wrong sample cannot be shown to work");
      for (const sample of rule.wrong) {
        assert.notEqual(rule.find(sample).length, 0, `overlooks ${JSON.stringify(sample)}`);
      }
      for (const sample of rule.right) assert.deepEqual(rule.find(sample), []);
    });
  }

  test("commands without a page are found", () => {
    const commands = [{ words: ["lab", "up"] }, { words: ["check"] }];
    assert.deepEqual(commandsWithoutPage(commands, [file("README.md", "`holdfast lab up`")]), ["holdfast check"]);
    assert.deepEqual(commandsWithoutPage(commands, [file("docs/a.md", "holdfast checks; holdfast lab upper")]), [
      "holdfast lab up",
      "holdfast check",
    ]);
  });
});

test("steps without a page are found", () => {
  assert.deepEqual(stepsWithoutPage(["open-address", "start-nfsd"], "first `start-nfsd`, then open-address"), [
    "open-address",
  ]);
});

describe("the repository", () => {
  test("was read", () => {
    assert.ok(files.some(({ path }) => path === "src/base/fault.ts"));
    assert.ok(files.some(({ path }) => path === "test"));
    assert.ok(!files.some(({ path }) => path.startsWith("node_modules/")));
  });

  for (const rule of rules) {
    test(rule.name, () => {
      const findings = rule.find(files).map(findingText);
      assert.deepEqual(findings, [], `instead: ${rule.instead}`);
    });
  }

  test("every command is explained in README.md or docs/", async () => {
    // Only here, so that a command line that does not load fails this one test.
    const { loadCommands } = await import("../src/cli/commands.ts");
    assert.deepEqual(
      commandsWithoutPage(await loadCommands(), files),
      [],
      "instead: write what it does, with its whole name",
    );
  });

  test("every step is explained in docs/architecture.md", async () => {
    const { STEP_BOUNDS_MS } = await import("../src/failover/step.ts");
    const page = files.find(({ path }) => path === "docs/architecture.md");
    assert.deepEqual(stepsWithoutPage(Object.keys(STEP_BOUNDS_MS), page?.text ?? ""), []);
  });

  test("exceptions name files that exist, and give a reason", () => {
    for (const [path, reason] of Object.entries({ ...NO_TEST_BESIDE, ...STARTS_PROGRAMS_ITSELF })) {
      assert.ok(
        files.some((known) => known.path === path),
        `${path} is gone: delete its exception`,
      );
      assert.ok(reason.length > 20, `${path}: give a reason`);
    }
  });
});
