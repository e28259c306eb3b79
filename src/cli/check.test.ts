import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { matchesGolden } from "../../tests/golden.ts";
import { recordRun } from "../../tests/recorded-io.ts";
import { SAMPLE_SPEC, sampleWith } from "../../tests/sample-spec.ts";
import { loadSpec } from "../model/load.ts";
import { specJsonSchema } from "../model/schema.ts";
import { CHECK, describeSpec } from "./check.ts";
import { SCHEMA } from "./schema.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-check-"));
after(() => rmSync(folder, { recursive: true }));

function write(text: string): string {
  const path = join(folder, "holdfast.yaml");
  writeFileSync(path, text);
  return path;
}

const check = (path: string) => recordRun(CHECK, { file: path });
const withoutFolder = (lines: readonly string[]): string => lines.join("\n").replaceAll(`${folder}/`, "");

const FAULTY = sampleWith(
  ["    interface: eth1\n", "    interfaces: eth1\n"],
  ["10.77.0.12, 10.78.0.12", "10.77.0.11"],
  ["10.77.0.0/24, options: [rw]", "10.77.0.5/24, options: [rw, async]"],
  ["prefer: n1", "prefer: m1"],
  ["fd77::51/64", "fd77::50/64"],
  ["device: media/data", "device: /dev/sdb"],
);

describe("holdfast check", () => {
  test("of a valid spec says what it means, with status 0", async () => {
    const run = await check(write(sampleWith(["options: [rw]", "options: [rw, no_root_squash]"])));
    assert.equal(run.status, 0);
    matchesGolden("check/valid.txt", withoutFolder(run.said));
    const [document] = run.documents as [{ valid: boolean; warnings: readonly { code: string; line: number }[] }];
    assert.equal(document.valid, true);
    assert.deepEqual(
      document.warnings.map((each) => [each.code, each.line]),
      [["no-root-squash", 19]],
    );
  });

  test("of an invalid spec tells every problem, with status 2", async () => {
    const run = await check(write(FAULTY));
    assert.equal(run.status, 2);
    matchesGolden("check/invalid.txt", withoutFolder(run.said));
    const [document] = run.documents as [{ valid: boolean; problems: readonly object[] }];
    assert.equal(document.valid, false);
    assert.deepEqual(Object.keys(document.problems[0] ?? {}), [
      "code",
      "path",
      "line",
      "column",
      "what",
      "why",
      "remedy",
    ]);
  });

  test("tells at most twenty problems and counts the rest; the document has them all", async () => {
    const keys = Array.from({ length: 25 }, (_, index) => `wrong${index}: 1`).join("\n");
    const run = await check(write(`${SAMPLE_SPEC}${keys}\n`));
    assert.equal(run.said.length, 22);
    assert.match(run.said[20] ?? "", /and 5 more/);
    assert.equal((run.documents as [{ problems: readonly object[] }])[0].problems.length, 25);
  });

  test("of a file that cannot be read is a problem too, with status 2", async () => {
    const run = await check(join(folder, "none.yaml"));
    assert.equal(run.status, 2);
    assert.match(run.progress.join("\n"), /there is no file.*\n.*holdfast init/);
    assert.match(JSON.stringify(run.documents), /"valid":false.*"code":"spec-missing"/);
  });
});

test("a spec is described in a few lines", () => {
  const lines = describeSpec(loadSpec(SAMPLE_SPEC, "a"));
  assert.equal(lines[0], "cluster lab, engine standalone: 2 nodes (n1, n2), 2 fileservers");
  assert.equal(lines.length, 5);
});

test("holdfast schema prints the schema alone", async () => {
  const run = await recordRun(SCHEMA, {});
  assert.equal(run.status, 0);
  assert.deepEqual(JSON.parse(run.said.join("\n")), specJsonSchema());
  assert.deepEqual(run.documents, [specJsonSchema()]);
});
