import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { recordRun } from "../../tests/recorded-io.ts";
import { SAMPLE_SPEC } from "../../tests/sample-spec.ts";
import { Fault } from "../base/fault.ts";
import { IMPORT_DIRECTOR } from "./import-director.ts";

const folder = mkdtempSync(join(tmpdir(), "hf-import-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const OLD = file("old", "director x\n server a 10.77.0.71 check\nflow y director x match iface eth1 dst 10.77.0.50\n");

test("prints YAML, tells what is to be done, and ends with 1 while something must be", async () => {
  const run = await recordRun(IMPORT_DIRECTOR, {}, [OLD]);
  assert.equal(run.status, 1);
  assert.match(run.said[0] ?? "", /^directors:\n/);
  assert.ok(
    run.progress.some((line) => /^must {4}the old file does not say which machines/.test(line)),
    run.progress.join("\n"),
  );
});

test("with machines and the spec it is complete", async () => {
  const options = { file: file("holdfast.yaml", SAMPLE_SPEC), machines: "d1=10.77.0.31,d2=10.77.0.32" };
  const run = await recordRun(IMPORT_DIRECTOR, options, [OLD]);
  assert.equal(run.status, 0);
  assert.match(run.said[0] ?? "", /- fileserver: home$/);
  const [document] = run.documents as readonly { readonly complete: boolean }[];
  assert.equal(document?.complete, true);
});

test("wrong usage is refused", async () => {
  const code = (wanted: string) => (error: unknown) => error instanceof Fault && error.code === wanted;
  await assert.rejects(recordRun(IMPORT_DIRECTOR, { machines: "d1" }, [OLD]), code("wrong-usage"));
  await assert.rejects(recordRun(IMPORT_DIRECTOR, {}, [join(folder, "none")]), code("file-unreadable"));
});
