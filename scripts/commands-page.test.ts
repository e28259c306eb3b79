import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { CliCommand } from "../src/cli/command.ts";
import { matchesGolden } from "../tests/golden.ts";
import { commandsPage } from "./commands-page.ts";

test("a command's arguments, options and details are on the page", () => {
  const command: CliCommand = {
    words: ["lab", "try"],
    summary: "try a thing",
    details: "Only once.",
    arguments: [
      { name: "name", help: "which a|b" },
      { name: "more", help: "others", optional: true, variadic: true },
    ],
    options: [{ flags: "--runs <n>", help: "how often", default: 1 }],
    run: async () => 0,
  };
  const section = commandsPage([command]).split("## ")[1];
  assert.equal(
    section,
    [
      "holdfast lab try NAME [MORE…]",
      "",
      "Try a thing.",
      "",
      "| | | default |",
      "| --- | --- | --- |",
      "| NAME | which a\\|b | |",
      "| MORE | others | |",
      "| `--runs <n>` | how often | `1` |",
      "",
      "```text",
      "Only once.",
      "```",
      "",
    ].join("\n"),
  );
});

test("docs/commands.md is what the commands say now", async () => {
  const { loadCommands } = await import("../src/cli/commands.ts");
  matchesGolden("commands.md", commandsPage(await loadCommands()), { folder: join(import.meta.dirname, "../docs") });
});
