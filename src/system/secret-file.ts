/** A secret that machines share: a file for root alone. Its text is never logged and never an argument. */
import { open } from "node:fs/promises";
import { Fault, messageOf } from "../base/fault.ts";

const SECRET_LENGTH_MIN = 32;
const SECRET_BYTES_MAX = 4096;
const FOR_OTHERS = 0o077;

/** The text without white space at its ends. A Fault where others may read the file, or it is too short to be secret. */
export async function readSecret(path: string): Promise<string> {
  const bad = (what: string): Fault =>
    new Fault({
      kind: "invalid",
      code: "secret-unusable",
      what: `the secret file ${path} ${what}`,
      remedy: `make it once and copy it to every node and director: (umask 077; head -c 32 /dev/urandom | base64 >${path})`,
    });
  const file = await open(path, "r").catch((error: unknown) => {
    throw bad(`cannot be read: ${messageOf(error)}`);
  });
  try {
    const { mode, size } = await file.stat();
    if ((mode & FOR_OTHERS) !== 0) throw bad(`may be read by others (mode ${(mode & 0o777).toString(8)}, wanted 600)`);
    if (size > SECRET_BYTES_MAX) throw bad("is too long");
    const text = (await file.readFile("utf8")).trim();
    if (text.length < SECRET_LENGTH_MIN) throw bad(`has fewer than ${SECRET_LENGTH_MIN} characters`);
    return text;
  } finally {
    await file.close();
  }
}
