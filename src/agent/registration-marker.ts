/** A file below /run: it goes with the boot, and outlives the agent. */
import { rename, writeFile } from "node:fs/promises";
import { z } from "zod";
import { readOptional } from "./inside.ts";
import { PLACES } from "./places.ts";
import type { RegistrationMarker } from "./registration.ts";

const registeredSchema = z.record(z.string(), z.number());

/** Written whole: half a file would be taken for a node that has never registered. */
export function registrationMarker(path: string = PLACES.registered): RegistrationMarker {
  return {
    async read() {
      const text = await readOptional(path);
      return new Map(text === undefined ? [] : Object.entries(registeredSchema.parse(JSON.parse(text))));
    },
    async write(registered) {
      await writeFile(`${path}.new`, `${JSON.stringify(Object.fromEntries(registered))}\n`, { mode: 0o600 });
      await rename(`${path}.new`, path);
    },
  };
}
