/** Steps that need nothing but a folder; the rest needs a node, and is tested in the lab. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { fakeNode } from "../../../tests/fake-node.ts";
import { SAMPLE_SPEC } from "../../../tests/sample-spec.ts";
import { known } from "../../base/observed.ts";
import type { Ledger } from "../../failover/ledger.ts";
import { loadSpec } from "../../model/load.ts";
import type { FileserverSpec } from "../../model/spec.ts";
import type { StepContext } from "../context.ts";
import { readLedger, writeLedger } from "../ledger-file.ts";
import type { StateFolder } from "../state-folder.ts";
import { reopenLedger } from "./takeover.ts";

const C1 = { name: "c1", addresses: ["10.77.0.21"] };
const C2 = { name: "c2", addresses: ["10.77.0.22"] };
const ENTRY: Ledger = {
  node: "n2",
  writtenAtMs: 7,
  final: false,
  connections: [],
  v3Clients: [{ ...C1, sinceMs: 1 }],
  v4Clients: [],
  v3Locks: [{ key: "data:131:0-0", steady: true }],
};

const NODE = fakeNode({ engine: "pacemaker" });

describe("reopening the ledger", () => {
  let folder: StateFolder;
  beforeEach(() => {
    const path = mkdtempSync(join(tmpdir(), "holdfast-reopen-"));
    folder = { fileserver: loadSpec(SAMPLE_SPEC, "sample").fileservers[0] as FileserverSpec, path };
  });
  afterEach(() => rmSync(folder.path, { recursive: true, force: true }));

  async function reopen(...retired: readonly (typeof C1)[]): Promise<{
    readonly found: StepContext["found"];
    readonly outcome: string | undefined;
    readonly names: readonly string[] | undefined;
  }> {
    const ledger = await readLedger(folder);
    const found: StepContext["found"] = { ledger, inherited: { ledger, monitored: known(retired) } };
    const report = await reopenLedger(folder, { node: NODE, found });
    const after = await readLedger(folder);
    assert.deepEqual(after, known(found.reopened), "what the watch begins with is what stands there");
    return { found, outcome: report?.outcome, names: found.reopened?.v3Clients.map(({ name }) => name) };
  }

  test("who is known to statd only is on the volume before he is notified", async () => {
    await writeLedger(folder, ENTRY);
    const { found, names } = await reopen(C1, C2);
    assert.deepEqual(names, ["c1", "c2"]);
    assert.deepEqual(found.inherited?.ledger, known(ENTRY), "the ruling goes by what was found");
    assert.equal((await reopen(C2, C1)).outcome, "already");
  });

  test("who lost something at a limit before is off the list of those to be notified, once the entry says so", async () => {
    const retired = join(folder.path, "notify/sm.bak");
    mkdirSync(retired, { recursive: true });
    for (const name of ["c1", "c2"]) writeFileSync(join(retired, name), name);
    await writeLedger(folder, { ...ENTRY, late: [{ ...C1, deferred: false }] });
    const { found, names } = await reopen(C1, C2);
    assert.deepEqual([names, found.reopened?.late], [["c2"], [{ ...C1, deferred: true }]]);
    assert.deepEqual(readdirSync(retired), ["c2"]);
    writeFileSync(join(retired, "c1"), "killed before it was taken off");
    assert.equal((await reopen(C1, C2)).outcome, "already");
    assert.deepEqual(readdirSync(retired), ["c2"]);
  });

  test("of a volume that was never served, and where nobody can understand the entry", async () => {
    assert.equal((await reopen()).outcome, "already");
    assert.deepEqual((await reopen(C2)).names, ["c2"]);
    for (const clients of [[C1], []]) {
      writeFileSync(join(folder.path, "ledger.json"), "half");
      const { outcome, names } = await reopen(...clients);
      assert.deepEqual([outcome, names?.length ?? 0], [undefined, clients.length]);
    }
  });
});
