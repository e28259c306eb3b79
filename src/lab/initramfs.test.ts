import assert from "node:assert/strict";
import { test } from "node:test";
import { cpioArchive } from "./initramfs.ts";

interface Member {
  readonly name: string;
  readonly mode: string;
  readonly device: string;
  readonly content: string;
}

/** Reads the archive as the kernel does: each header says how far the next one is. */
function members(archive: Buffer): readonly Member[] {
  const found: Member[] = [];
  for (let at = 0; ;) {
    assert.equal(archive.toString("latin1", at, at + 6), "070701");
    const field = (index: number): number =>
      Number.parseInt(archive.toString("latin1", at + 6 + index * 8, at + 14 + index * 8), 16);
    const name = archive.toString("latin1", at + 110, at + 110 + field(11) - 1);
    const contentAt = Math.ceil((at + 110 + field(11)) / 4) * 4;
    if (name === "TRAILER!!!") return found;
    const content = archive.toString("latin1", contentAt, contentAt + field(6));
    found.push({ name, mode: field(1).toString(8), device: `${field(9)}:${field(10)}`, content });
    at = Math.ceil((contentAt + field(6)) / 4) * 4;
  }
}

test("an archive as the kernel reads it, whatever the lengths", () => {
  const archive = cpioArchive([
    { kind: "folder", path: "dev" },
    { kind: "character-device", path: "dev/console", major: 5, minor: 1 },
    ...[0, 1, 2, 3, 4, 5].map((length) => ({
      kind: "file" as const,
      path: "f".repeat(length + 1),
      mode: 0o755,
      content: Buffer.from("x".repeat(length)),
    })),
    { kind: "link", path: "bin", target: "usr/bin" },
  ]);
  assert.equal(archive.length % 4, 0);
  assert.deepEqual(
    members(archive).map(({ name, mode, device, content }) => `${name} ${mode} ${device} ${content}`),
    [
      "dev 40755 0:0 ",
      "dev/console 20600 5:1 ",
      "f 100755 0:0 ",
      "ff 100755 0:0 x",
      "fff 100755 0:0 xx",
      "ffff 100755 0:0 xxx",
      "fffff 100755 0:0 xxxx",
      "ffffff 100755 0:0 xxxxx",
      "bin 120777 0:0 usr/bin",
    ],
  );
});
