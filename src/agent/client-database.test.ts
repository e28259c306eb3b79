import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, test } from "node:test";
import { keepWriteAheadLog } from "./client-database.ts";

describe("nfsdcld's database", () => {
  let folder = "";
  const path = (): string => join(folder, "main.sqlite");

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "holdfast-clients-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** As nfsdcld makes it: with a rollback journal. */
  function make(): void {
    const database = new DatabaseSync(path());
    database.exec("CREATE TABLE clients (id TEXT); INSERT INTO clients VALUES ('c1')");
    database.close();
  }

  function look(): readonly unknown[] {
    const database = new DatabaseSync(path());
    try {
      const mode = database.prepare("PRAGMA journal_mode").get();
      return [mode?.["journal_mode"], database.prepare("SELECT id FROM clients").get()?.["id"]];
    } finally {
      database.close();
    }
  }

  test("gets a write-ahead log once, and keeps what is in it", async () => {
    make();
    assert.deepEqual(look(), ["delete", "c1"]);
    assert.equal(await keepWriteAheadLog(path()), true);
    assert.deepEqual(look(), ["wal", "c1"]);
    assert.equal(await keepWriteAheadLog(path()), false);
  });

  test("that is not there yet is left to nfsdcld", async () => {
    assert.equal(await keepWriteAheadLog(path()), false);
    assert.deepEqual(readdirSync(folder), []);
    writeFileSync(path(), "");
    assert.equal(await keepWriteAheadLog(path()), false);
  });

  test("with the journal of an interrupted commit is left to SQLite", async () => {
    make();
    writeFileSync(`${path()}-journal`, "x");
    assert.equal(await keepWriteAheadLog(path()), false);
    rmSync(`${path()}-journal`);
    assert.deepEqual(look(), ["delete", "c1"]);
  });

  test("that is none stays as it is", async () => {
    const text = "not a database, though long enough to have a header";
    writeFileSync(path(), text);
    assert.equal(await keepWriteAheadLog(path()), false);
    assert.equal(readFileSync(path(), "utf8"), text);
  });
});
