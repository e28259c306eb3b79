/** A file below /run: it goes with the boot, and outlives the agent. */
import { rename, writeFile } from "node:fs/promises";
import { z } from "zod";
import { readOptional } from "./inside.ts";
import { PLACES } from "./places.ts";
import type { RegistrationMarker } from "./registration.ts";

const namesSchema = z.array(z.string());

/** Written whole: half a file would be taken for a node that has never registered. */
export function registrationMarker(path: string = PLACES.registered): RegistrationMarker {
  return {
    async read() {
      const text = await readOptional(path);
      return text === undefined ? [] : namesSchema.parse(JSON.parse(text));
    },
    async write(luns) {
      await writeFile(`${path}.new`, `${JSON.stringify(luns)}\n`, { mode: 0o600 });
      await rename(`${path}.new`, path);
    },
  };
}
