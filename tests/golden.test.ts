import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { matchesGolden } from "./golden.ts";

describe("matchesGolden", () => {
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "holdfast-golden-"));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test("writes with UPDATE_GOLDEN=1, then accepts the same text and refuses another", () => {
    matchesGolden("a/one.txt", "first\nsecond", { folder, environment: { UPDATE_GOLDEN: "1" } });
    assert.equal(readFileSync(join(folder, "a/one.txt"), "utf8"), "first\nsecond\n");
    matchesGolden("a/one.txt", "first\nsecond\n", { folder, environment: {} });
    assert.throws(() => matchesGolden("a/one.txt", "first\nother", { folder, environment: {} }), /UPDATE_GOLDEN=1/);
  });

  test("refuses a missing file, and a refresh under CI", () => {
    assert.throws(() => matchesGolden("b/none.txt", "x", { folder, environment: {} }), /no golden file/);
    assert.throws(
      () => matchesGolden("b/none.txt", "x", { folder, environment: { UPDATE_GOLDEN: "1", CI: "true" } }),
      /not allowed with CI/,
    );
  });

  test("refuses names that leave the folder or have no suffix", () => {
    assert.throws(() => matchesGolden("../etc/passwd.txt", "x", { folder, environment: {} }));
    assert.throws(() => matchesGolden("plain", "x", { folder, environment: {} }));
  });
});
