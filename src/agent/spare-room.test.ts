import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { SAMPLE_SPEC } from "../../tests/sample-spec.ts";
import { loadSpec } from "../model/load.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { keepSpareRoom, makeRoom, SPARE_BYTES } from "./spare-room.ts";
import type { StateFolder } from "./state-folder.ts";

const fileserver = loadSpec(SAMPLE_SPEC, "sample").fileservers[0] as FileserverSpec;
const full = (): Promise<number> => Promise.resolve(4096);
const plenty = (): Promise<number> => Promise.resolve(100 * SPARE_BYTES);

describe("spare room", () => {
  let folder: StateFolder;
  beforeEach(() => {
    folder = { fileserver, path: mkdtempSync(join(tmpdir(), "hf-spare-")) };
  });
  afterEach(() => rmSync(folder.path, { recursive: true, force: true }));

  const size = (): number | undefined => statSync(join(folder.path, "spare"), { throwIfNoEntry: false })?.size;

  test("is kept where there is plenty, given free where the volume is full, and kept again", async () => {
    await keepSpareRoom(folder, plenty);
    assert.equal(size(), SPARE_BYTES);
    await makeRoom(folder, plenty);
    assert.equal(size(), SPARE_BYTES);
    await makeRoom(folder, full);
    assert.equal(size(), 0);
    await keepSpareRoom(folder, plenty);
    assert.equal(size(), SPARE_BYTES);
  });

  test("is not taken from what is left to clients", async () => {
    await keepSpareRoom(folder, full);
    assert.equal(size(), undefined);
  });

  test("a volume that was never served has none, and that is no error", async () => {
    await makeRoom(folder, full);
    await makeRoom({ ...folder, path: join(folder.path, "none") });
  });

  test("the real measure", async () => {
    await makeRoom(folder);
    await keepSpareRoom(folder);
    assert.equal(size(), SPARE_BYTES);
  });
});
