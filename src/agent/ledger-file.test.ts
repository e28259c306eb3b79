import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { SAMPLE_SPEC } from "../../tests/sample-spec.ts";
import { known } from "../base/observed.ts";
import type { Ledger } from "../failover/ledger.ts";
import { loadSpec } from "../model/load.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { forgetLedger, readLedger, writeLastEntry, writeLedger } from "./ledger-file.ts";
import type { StateFolder } from "./state-folder.ts";

const ENTRY: Ledger = {
  node: "n1",
  writtenAtMs: 7,
  final: false,
  connections: [{ localAddress: "fd77::50", localPort: 2049, remoteAddress: "fd77::21", remotePort: 700 }],
  v3Clients: [{ name: "c1", addresses: ["10.77.0.21"], sinceMs: 1 }],
  v4Clients: [{ owner: "Linux NFSv4.2 c1", address: "10.77.0.21", minorVersion: 2, courtesy: false, sinceMs: 2 }],
  v3Locks: [{ key: "data:131:0-0", steady: true }],
};

describe("the ledger's file", () => {
  let folder: StateFolder;
  beforeEach(() => {
    const path = mkdtempSync(join(tmpdir(), "holdfast-ledger-"));
    folder = { fileserver: loadSpec(SAMPLE_SPEC, "sample").fileservers[0] as FileserverSpec, path };
  });
  afterEach(() => rmSync(folder.path, { recursive: true, force: true }));

  test("comes back as it was written, by either way, and nothing else is left", async () => {
    assert.deepEqual(await readLedger(folder), known(undefined));
    await writeLedger(folder, ENTRY);
    assert.deepEqual(await readLedger(folder), known(ENTRY));
    const late = [{ name: "c2", addresses: ["10.77.0.22"], deferred: true }];
    await writeLedger(folder, { ...ENTRY, late });
    assert.deepEqual(await readLedger(folder), known({ ...ENTRY, late }));
    await writeLastEntry(folder, { ...ENTRY, final: true });
    assert.deepEqual(await readLedger(folder), known({ ...ENTRY, final: true }));
    assert.deepEqual(readdirSync(folder.path), ["ledger.json"]);
    await forgetLedger(folder);
    await forgetLedger(folder);
    assert.deepEqual(readdirSync(folder.path), []);
  });

  test("half of one, and one of another make, are unknown: they must end no grace", async () => {
    for (const text of [
      "",
      '{"node"',
      "[]",
      JSON.stringify({ ...ENTRY, final: "yes" }),
      JSON.stringify({ ...ENTRY, v3Locks: undefined }),
    ]) {
      writeFileSync(join(folder.path, "ledger.json"), text);
      assert.ok(!(await readLedger(folder)).known, text);
    }
  });

  test("is written whole: a full volume leaves the entry before", async () => {
    await writeLedger(folder, ENTRY);
    symlinkSync("/dev/full", join(folder.path, "ledger.json.new"));
    await assert.rejects(writeLedger(folder, { ...ENTRY, node: "n2" }), /ENOSPC/);
    assert.deepEqual(await readLedger(folder), known(ENTRY));
  });
});
