/** The spec as a machine has it, for the resident programs. */
import { readFile } from "node:fs/promises";
import { Fault, messageOf } from "../base/fault.ts";

/** The file's text. Rejects with what to do where it cannot be read. */
export async function readNodeSpec(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new Fault({
      kind: "invalid",
      code: "spec-unreadable",
      what: `${path} cannot be read: ${messageOf(error)}`,
      remedy: "put the spec there: holdfast apply",
    });
  }
}
