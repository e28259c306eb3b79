import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { SAMPLE_SPEC } from "../../tests/sample-spec.ts";
import { Fault } from "../base/fault.ts";
import { known } from "../base/observed.ts";
import type { MonitoredClient } from "../failover/ledger.ts";
import { loadSpec } from "../model/load.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { parseMonitorFile } from "../nfs/monitor-record.ts";
import {
  makeDatabaseFolder,
  nfsdcldPath,
  prepareStateFolder,
  retire,
  stateFolder,
  unretire,
  type Owner,
  type StateFolder,
} from "./state-folder.ts";

const SAMPLE = loadSpec(SAMPLE_SPEC, "sample").fileservers[0] as FileserverSpec;

/** The user of this test: a folder can be given to nobody else without being root. */
const self = (): Promise<Owner> => Promise.resolve({ uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 });

describe("the state folder", () => {
  let parent = "";
  let folder: StateFolder;
  const prepare = (expected: readonly MonitoredClient[] = []): Promise<void> =>
    prepareStateFolder(folder, "n1", 1000, expected, self);
  const at = (...names: readonly string[]): string => join(folder.path, ...names);
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), "holdfast-state-"));
    folder = { fileserver: SAMPLE, path: join(parent, ".holdfast") };
  });
  afterEach(() => rmSync(parent, { recursive: true, force: true }));

  test("is made complete, and a second time changes nothing", async () => {
    for (const turn of [1, 2]) {
      await prepare();
      await makeDatabaseFolder(folder);
      assert.deepEqual(
        readdirSync(folder.path).sort(),
        ["nfsdcld", "notify", "nsm", "served-by.json", "spare"],
        `turn ${turn}`,
      );
      assert.deepEqual(readdirSync(at("nsm")).sort(), ["sm", "sm.bak"]);
    }
    assert.deepEqual(JSON.parse(readFileSync(at("served-by.json"), "utf8")), { node: "n1", sinceMs: 1000 });
    // statd, another user, must be able to pass; nobody else can list it, and the client database is root's alone.
    assert.equal(statSync(folder.path).mode & 0o777, 0o711);
    assert.equal(statSync(at("nfsdcld")).mode & 0o777, 0o700);
  });

  test("clients that were monitored are retired, to be notified; nobody is lost who waits there already", async () => {
    await prepare();
    writeFileSync(at("nsm/sm/10.77.0.21"), "one");
    writeFileSync(at("notify/sm.bak/10.77.0.22"), "two");
    await prepare();
    assert.deepEqual(readdirSync(at("nsm/sm")), []);
    assert.deepEqual(readdirSync(at("notify/sm.bak")).sort(), ["10.77.0.21", "10.77.0.22"]);
    assert.equal(readFileSync(at("notify/sm.bak/10.77.0.21"), "utf8"), "one");
  });

  test("who is late is taken off the list of those to be notified, and put back", async () => {
    const c1 = { name: "c1", addresses: ["10.77.0.21"] };
    await prepare([c1]);
    await unretire(folder, ["c1", "c2"]);
    assert.deepEqual(readdirSync(at("notify/sm.bak")), []);
    await retire(folder, [c1]);
    await retire(folder, [c1]);
    assert.deepEqual(readdirSync(at("notify/sm.bak")), ["c1"]);
    const [record] = parseMonitorFile("c1", readFileSync(at("notify/sm.bak/c1"), "utf8"));
    assert.equal(record?.known === true ? record.value.address : undefined, "10.77.0.21");
  });

  test("whom the stopping server took from the list is notified all the same; nobody is there twice", async () => {
    await prepare();
    writeFileSync(at("nsm/sm/c1"), "one");
    await prepare([
      { name: "c1", addresses: ["10.77.0.21"] },
      { name: "c2", addresses: ["10.77.0.22", "fd77::22"] },
    ]);
    assert.deepEqual(readdirSync(at("notify/sm.bak")).sort(), ["c1", "c2"]);
    assert.equal(readFileSync(at("notify/sm.bak/c1"), "utf8"), "one");
    const written = parseMonitorFile("c2", readFileSync(at("notify/sm.bak/c2"), "utf8"));
    assert.deepEqual(written, [
      known({ name: "c2", address: "10.77.0.22" }),
      known({ name: "c2", address: "fd77::22" }),
    ]);
    assert.equal(statSync(at("notify/sm.bak/c2")).mode & 0o777, 0o600);
  });

  test("a full volume is told from one that cannot be written, and both from a node without statd", async () => {
    await prepare();
    // The kernel's own full disk, under the name that is written first.
    rmSync(at("served-by.json"));
    symlinkSync("/dev/full", at("served-by.json"));
    await assert.rejects(prepare(), (error) => {
      assert.ok(error instanceof Fault && error.code === "state-folder-full");
      assert.match(error.remedy ?? "", /make room/);
      assert.ok(error.cause instanceof Error);
      return true;
    });
    rmSync(folder.path, { recursive: true });
    writeFileSync(folder.path, "a file where the folder should be");
    await assert.rejects(prepare(), (error) => error instanceof Fault && error.code === "state-folder-unwritable");
    const missing = new Fault({ code: "statd-user-missing", what: "no statd" });
    await assert.rejects(
      prepareStateFolder(folder, "n1", 0, [], () => Promise.reject(missing)),
      (error) => error === missing,
    );
  });
});

test("it lies on the first volume, above what is exported", () => {
  assert.equal(stateFolder(42, SAMPLE).path, "/proc/42/root/run/holdfast/volumes/data/.holdfast");
  assert.equal(nfsdcldPath(SAMPLE), "/run/holdfast/volumes/data/.holdfast/nfsdcld");
});
