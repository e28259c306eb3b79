import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Fault } from "../base/fault.ts";
import { readSecret } from "./secret-file.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-secret-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function file(text: string, mode: number): string {
  const path = join(folder, `${mode}-${text.length}`);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

const GOOD = "0123456789abcdef0123456789abcdef";

test("the secret without the line's end", async () => {
  assert.equal(await readSecret(file(`${GOOD}\n`, 0o600)), GOOD);
});

test("what others may read, what is short and what is not there is refused, and never told", async () => {
  for (const [path, what] of [
    [file(GOOD, 0o640), /mode 640/],
    [file(GOOD, 0o604), /mode 604/],
    [file("short", 0o600), /fewer than 32/],
    [file("x".repeat(5000), 0o600), /too long/],
    [join(folder, "none"), /cannot be read/],
  ] as const) {
    await assert.rejects(
      readSecret(path),
      (error) =>
        error instanceof Fault &&
        error.code === "secret-unusable" &&
        what.test(error.message) &&
        !error.message.includes(GOOD),
    );
  }
});
