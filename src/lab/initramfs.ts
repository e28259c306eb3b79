/** Writes an initramfs: a "newc" cpio archive (Linux: Documentation/driver-api/early-userspace/buffer-format.rst). */

export type CpioEntry =
  | { readonly kind: "folder"; readonly path: string }
  | { readonly kind: "file"; readonly path: string; readonly mode: number; readonly content: Uint8Array }
  | { readonly kind: "link"; readonly path: string; readonly target: string }
  | { readonly kind: "character-device"; readonly path: string; readonly major: number; readonly minor: number };

const TYPE_BITS = { folder: 0o040755, file: 0o100000, link: 0o120777, "character-device": 0o020600 } as const;

export function cpioArchive(entries: readonly CpioEntry[]): Buffer {
  const parts = entries.flatMap((entry, index) => entryParts(entry, index + 1));
  return Buffer.concat([...parts, ...trailerParts()]);
}

function entryParts(entry: CpioEntry, inode: number): readonly Buffer[] {
  const content = contentOf(entry);
  const mode = TYPE_BITS[entry.kind] | (entry.kind === "file" ? entry.mode : 0);
  const device = entry.kind === "character-device" ? entry : { major: 0, minor: 0 };
  return [...header(entry.path, inode, mode, content.length, device), content, padding(content.length)];
}

function contentOf(entry: CpioEntry): Buffer {
  if (entry.kind === "file") return Buffer.from(entry.content);
  return entry.kind === "link" ? Buffer.from(entry.target) : Buffer.alloc(0);
}

function trailerParts(): readonly Buffer[] {
  return header("TRAILER!!!", 0, 0, 0, { major: 0, minor: 0 });
}

function header(
  path: string,
  inode: number,
  mode: number,
  sizeBytes: number,
  device: { readonly major: number; readonly minor: number },
): readonly Buffer[] {
  const name = Buffer.from(`${path}\0`);
  // inode, mode, uid, gid, links, mtime, size, device of the file (2), device it stands for (2), name length, checksum
  const fields = [inode, mode, 0, 0, 1, 0, sizeBytes, 0, 0, device.major, device.minor, name.length, 0];
  const text = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`;
  return [Buffer.from(text), name, padding(text.length + name.length)];
}

function padding(length: number): Buffer {
  return Buffer.alloc((4 - (length % 4)) % 4);
}
