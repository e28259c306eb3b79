import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { COMMANDS, entriesFor, loadCommands } from "./commands.ts";

describe("the list of commands", () => {
  test("each is found by the words that it has itself", async () => {
    const loaded = await loadCommands();
    assert.deepEqual(
      loaded.map((command) => command.words),
      COMMANDS.map((command) => command.words),
    );
  });

  test("no command's words begin another's: the first that fits is the one that is meant", () => {
    const words = COMMANDS.map((command) => command.words.join(" "));
    for (const one of words)
      assert.deepEqual(
        words.filter((other) => `${other} `.startsWith(`${one} `)),
        [one],
      );
  });

  const named = (...argv: readonly string[]): readonly string[] =>
    entriesFor(argv).map((command) => command.words.join(" "));

  test("a command line loads the one command that it names", () => {
    assert.deepEqual(named("status", "--json"), ["status"]);
    assert.deepEqual(named("lab", "up", "--help"), ["lab up"]);
    assert.deepEqual(named("--version"), []);
  });

  test("help and what is not understood need them all", () => {
    for (const argv of [[], ["--help"], ["lab"], ["lab", "--help"], ["statu"], ["lab", "dwn"], ["--json", "status"]])
      assert.equal(named(...argv).length, COMMANDS.length, argv.join(" "));
  });
});
