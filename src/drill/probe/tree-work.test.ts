import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { parseManifest, treeWork } from "./tree-work.ts";

const FILES = 12;
let directory = "";

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "holdfast-tree-"));
  mkdirSync(join(directory, "tree/a b"), { recursive: true });
  const lines: string[] = [];
  for (let file = 0; file < FILES; file += 1) {
    const content = `content of ${file}\n`;
    writeFileSync(join(directory, `tree/a b/${file}`), content);
    lines.push(`${hash("md5", content)}  a b/${file}`);
  }
  writeFileSync(join(directory, "tree.md5"), `${lines.join("\n")}\n`);
});

afterEach(() => rmSync(directory, { recursive: true }));

/** Runs rounds and returns the codes of what they threw. */
function codes(work: { once(): unknown }, rounds: number): readonly string[] {
  const thrown: string[] = [];
  for (let round = 0; round < rounds; round += 1) {
    try {
      work.once();
    } catch (error) {
      thrown.push(String((error as { code?: unknown }).code));
    }
  }
  return thrown;
}

test("a sound tree stays sound, also after every file was written anew", () => {
  assert.deepEqual(codes(treeWork({ directory, client: 1 }), 200), []);
  assert.equal(readFileSync(join(directory, "tree/a b/3"), "utf8"), "content of 3\n");
  assert.deepEqual(codes(treeWork({ directory, client: 2 }), FILES), []);
});

test("changed content and a missing file are errors, each time they are read", () => {
  const work = treeWork({ directory, client: 1 });
  writeFileSync(join(directory, "tree/a b/5"), "content of 6\n");
  rmSync(join(directory, "tree/a b/7"));
  assert.deepEqual([...codes(work, FILES)].sort(), ["ENOENT", "EWRONGCONTENT"]);
});

test("a generation older than the acknowledged one is a stale read", () => {
  const work = treeWork({ directory, client: 1 });
  // Seven rounds per generation file, sixteen of them: after two turns every file is at generation 2.
  assert.deepEqual(codes(work, 7 * 16 * 2), []);
  writeFileSync(join(directory, "generations-1/generation-1"), "1\n");
  writeFileSync(join(directory, "generations-1/generation-2"), "9\n");
  assert.deepEqual(codes(work, 14), ["ESTALECONTENT", "EWRONGCONTENT"]);
});

test("an empty manifest is no tree", () => {
  writeFileSync(join(directory, "tree.md5"), "");
  assert.throws(() => treeWork({ directory, client: 1 }), { code: "EMANIFEST" });
});

test("manifest lines are as md5sum writes them", () => {
  const sum = "d41d8cd98f00b204e9800998ecf8427e";
  assert.deepEqual(parseManifest(`${sum}  a/b c\n${sum} *binary\nnot a line\n\\${sum}  quoted\\n\n`), [
    { md5: sum, path: "a/b c" },
    { md5: sum, path: "binary" },
  ]);
});
