/**
 * Golden texts: what a decision printed, kept under tests/golden/ and reviewed as a diff.
 *
 *   matchesGolden("plan/two-fileservers.txt", rendered);
 *
 * A run with UPDATE_GOLDEN=1 writes the text instead of comparing it. With CI set that is refused,
 * and so is a missing file: a machine must never approve its own output.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

export const GOLDEN_FOLDER = join(import.meta.dirname, "golden");

export interface GoldenOptions {
  /** Where the files lie; by default tests/golden. */
  readonly folder?: string;
  /** By default the process's own environment. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** Throws an AssertionError when `text` differs from the kept file. `name` is a path below the folder, with its suffix. */
export function matchesGolden(name: string, text: string, options: GoldenOptions = {}): void {
  assert.match(name, /^[a-z0-9][a-z0-9./-]*\.[a-z0-9]+$/, `golden name ${JSON.stringify(name)}: want folder/name.txt`);
  assert.ok(!name.includes(".."), `golden name ${JSON.stringify(name)} must not leave its folder`);
  const environment = options.environment ?? process.env;
  const path = join(options.folder ?? GOLDEN_FOLDER, name);
  const given = text.endsWith("\n") ? text : `${text}\n`;
  if (environment["UPDATE_GOLDEN"] === "1") {
    assert.ok(!environment["CI"], "UPDATE_GOLDEN=1 is not allowed with CI set");
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, given);
    return;
  }
  assert.ok(existsSync(path), `no golden file ${path}: write it with UPDATE_GOLDEN=1 and review it`);
  assert.equal(
    given,
    readFileSync(path, "utf8"),
    `differs from ${path}: if this is meant, refresh with UPDATE_GOLDEN=1 and review the diff`,
  );
}
