import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { SAMPLE_SPEC } from "../../tests/sample-spec.ts";
import { Fault } from "../base/fault.ts";
import { known } from "../base/observed.ts";
import { loadSpec } from "../model/load.ts";
import type { FileserverSpec } from "../model/spec.ts";
import {
  forgetHandover,
  holdList,
  makeDatabaseFolder,
  monitoredClients,
  nfsdcldPath,
  prepareStateFolder,
  readConnections,
  readHandover,
  stateFolder,
  writeConnections,
  writeHandover,
  type Owner,
  type StateFolder,
} from "./state-folder.ts";

const SAMPLE = loadSpec(SAMPLE_SPEC, "sample").fileservers[0] as FileserverSpec;
const CONNECTION = { localAddress: "fd77::50", localPort: 2049, remoteAddress: "fd77::21", remotePort: 700 };

/** The user of this test: a folder can be given to nobody else without being root. */
const self = (): Promise<Owner> => Promise.resolve({ uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 });

describe("the state folder", () => {
  let parent = "";
  let folder: StateFolder;
  const prepare = (): Promise<void> => prepareStateFolder(folder, "n1", 1000, self);
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
      assert.deepEqual(readdirSync(folder.path).sort(), ["nfsdcld", "nsm", "served-by.json"], `turn ${turn}`);
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
    writeFileSync(at("nsm/sm.bak/10.77.0.22"), "two");
    assert.deepEqual(await monitoredClients(folder), known(1));
    await prepare();
    assert.deepEqual(readdirSync(at("nsm/sm")), []);
    assert.deepEqual(readdirSync(at("nsm/sm.bak")).sort(), ["10.77.0.21", "10.77.0.22"]);
    assert.deepEqual(await monitoredClients(folder), known(2));
    assert.equal(readFileSync(at("nsm/sm.bak/10.77.0.21"), "utf8"), "one");
  });

  test("what was held aside counts, though the stopping server emptied the list", async () => {
    await prepare();
    writeFileSync(at("nsm/sm/10.77.0.21"), "one", { mode: 0o600 });
    assert.equal(await holdList(folder), 1);
    rmSync(at("nsm/sm/10.77.0.21"));
    await prepare();
    assert.deepEqual(readdirSync(at("nsm/sm.bak")), ["10.77.0.21"]);
    assert.equal(statSync(at("nsm/sm.bak/10.77.0.21")).mode & 0o777, 0o600);
    assert.ok(!existsSync(at("nsm/sm.hold")), "history once it is retired");
  });

  test("nothing to hold aside", async () => {
    assert.equal(await holdList(folder), 0);
    await prepare();
    assert.equal(await holdList(folder), 0);
  });

  test("a list that cannot be read is unknown, not empty", async () => {
    const found = await monitoredClients(folder);
    assert.ok(!found.known);
    assert.match(found.why, /ENOENT/);
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
      prepareStateFolder(folder, "n1", 0, () => Promise.reject(missing)),
      (error) => error === missing,
    );
  });

  test("the handover comes back as it was left, and is forgotten once", async () => {
    mkdirSync(folder.path);
    assert.deepEqual(await readHandover(folder), known(undefined));
    await writeHandover(folder, { nlmLocksHeld: 3 });
    assert.deepEqual(await readHandover(folder), known({ nlmLocksHeld: 3 }));
    await forgetHandover(folder);
    await forgetHandover(folder);
    assert.deepEqual(await readHandover(folder), known(undefined));
    assert.deepEqual(readdirSync(folder.path), []);
  });

  test("half a handover is unknown: it must end no grace", async () => {
    mkdirSync(folder.path);
    for (const text of ["", '{"nlmLocks']) {
      writeFileSync(at("handover.json"), text);
      assert.ok(!(await readHandover(folder)).known, text);
    }
  });

  test("connections come back as they were left; without a record, or with half of one, there are none", async () => {
    mkdirSync(folder.path);
    assert.deepEqual(await readConnections(folder), []);
    await writeConnections(folder, [CONNECTION]);
    assert.deepEqual(await readConnections(folder), [CONNECTION]);
    writeFileSync(at("connections.json"), "");
    assert.deepEqual(await readConnections(folder), []);
  });

  test("a file is written whole: a crash in between leaves the one before", async () => {
    mkdirSync(folder.path);
    await writeHandover(folder, { nlmLocksHeld: 1 });
    symlinkSync("/dev/full", at("handover.json.new"));
    await assert.rejects(writeHandover(folder, { nlmLocksHeld: 2 }), /ENOSPC/);
    assert.deepEqual(await readHandover(folder), known({ nlmLocksHeld: 1 }));
  });
});

test("it lies on the first volume, above what is exported", () => {
  assert.equal(stateFolder(42, SAMPLE).path, "/proc/42/root/run/holdfast/volumes/data/.holdfast");
  assert.equal(nfsdcldPath(SAMPLE), "/run/holdfast/volumes/data/.holdfast/nfsdcld");
});
