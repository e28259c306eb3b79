/** Bugs end the agent: systemd starts it anew, it finds everything by looking, and the journal has the stack. */
import { AssertionError } from "../base/assert.ts";

/** For places that have to catch everything: a broken assertion goes on as an uncaught error, once they have had their word. */
export function endOnBug(error: unknown): void {
  if (error instanceof AssertionError)
    setImmediate(() => {
      throw error;
    });
}
