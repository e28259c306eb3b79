import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { SAMPLE_SPEC } from "../../tests/sample-spec.ts";
import { Fault } from "../base/fault.ts";
import { loadSpec } from "../model/load.ts";
import type { FileserverSpec } from "../model/spec.ts";
import type { StateFolder } from "./state-folder.ts";
import { nextTerm, readTerm } from "./term.ts";

describe("the number of takeovers", () => {
  let folder: StateFolder;
  const file = (): string => join(folder.path, "term");
  beforeEach(() => {
    const path = mkdtempSync(join(tmpdir(), "holdfast-term-"));
    folder = { fileserver: loadSpec(SAMPLE_SPEC, "sample").fileservers[0] as FileserverSpec, path };
  });
  afterEach(() => rmSync(folder.path, { recursive: true }));

  test("counts from 1, always in as many bytes, for root alone", async () => {
    assert.equal(await readTerm(folder), 0);
    assert.deepEqual([await nextTerm(folder), await nextTerm(folder)], [1, 2]);
    assert.equal(await readTerm(folder), 2);
    writeFileSync(file(), "9".padEnd(16), { flag: "r+" });
    assert.equal(await nextTerm(folder), 10);
    assert.equal(readFileSync(file()).length, 16);
    assert.equal(statSync(file()).mode & 0o777, 0o600);
  });

  test("what a power cut left empty was never used; what is no number is not guessed, and stays", async () => {
    writeFileSync(file(), "");
    assert.equal(await nextTerm(folder), 1);
    for (const text of ["seven", "-1", "1.5", "1e99"]) {
      writeFileSync(file(), text);
      await assert.rejects(nextTerm(folder), (error) => error instanceof Fault && error.code === "term-unreadable");
      assert.equal(readFileSync(file(), "utf8"), text);
    }
  });
});
