import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { recordRun } from "../../tests/recorded-io.ts";
import { findingLine, IMPORT_PACEMAKER } from "./import-pacemaker.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-import-"));
after(() => rmSync(folder, { recursive: true }));
const RECORDED = join(import.meta.dirname, "../../tests/recorded/pacemaker/hand-built.xml");

describe("holdfast import pacemaker", () => {
  test("prints the spec, tells the findings, and ends with 1 while something must be filled in", async () => {
    const run = await recordRun(IMPORT_PACEMAKER, { cluster: "files" }, [RECORDED]);
    assert.equal(run.status, 1);
    assert.match(run.said.join("\n"), /^apiVersion: holdfast\/v1$/m);
    assert.match(run.progress.join("\n"), /^must   stonith-enabled: fencing is switched off/m);
    assert.match(run.progress.at(-1) ?? "", /^step \d+: /);
  });

  test("writes a file once, and never over another", async () => {
    const output = join(folder, "holdfast.yaml");
    await recordRun(IMPORT_PACEMAKER, { output }, [RECORDED]);
    assert.match(readFileSync(output, "utf8"), /name: holdfast/);
    await assert.rejects(recordRun(IMPORT_PACEMAKER, { output }, [RECORDED]), { kind: "refused", code: "file-exists" });
  });

  test("what is no configuration, or not there, is wrong usage", async () => {
    const path = join(folder, "x.xml");
    writeFileSync(path, "<html/>");
    await assert.rejects(recordRun(IMPORT_PACEMAKER, {}, [path]), { kind: "invalid", code: "cib-invalid" });
    await assert.rejects(recordRun(IMPORT_PACEMAKER, {}, [join(folder, "none")]), { code: "cib-unreadable" });
    await assert.rejects(recordRun(IMPORT_PACEMAKER, { cluster: "A B" }, [RECORDED]), { code: "bad-name" });
  });

  test("a finding is one thing and what to do about it", () => {
    const line = findingLine({ weight: "note", code: "lease-wait", about: "x", what: "it waited", remedy: "nothing" });
    assert.equal(line, "note   x: it waited\n       do: nothing");
  });
});
