/** Small questions about files. */
import { access, readFile } from "node:fs/promises";

export async function existsFile(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** The file's text, or nothing where it cannot be read: for logs that only make a message better. */
export async function readText(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => "");
}
