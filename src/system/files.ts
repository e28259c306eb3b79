/** Small questions about files. */
import { readFile } from "node:fs/promises";

/** The file's text, or nothing where it cannot be read: for logs that only make a message better. */
export async function readText(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => "");
}
