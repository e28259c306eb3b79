/**
 * A door for programs that starts none: it holds the exact calls expected, in order, each with its answer.
 * Any other call fails the test, and so does a call that never came (`assertAllRan`).
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { commandLine, type Command, type CommandResult, type Commands } from "../src/system/commands.ts";

/** The call as one line, "tool argument argument …", and what the program answers; status 0 and silence by default. */
export interface ExpectedCommand extends Partial<CommandResult> {
  readonly run: string | Pick<Command, "tool" | "args">;
}

export interface ExpectedCommands extends Commands {
  /** Throws where an expected call has not come. */
  assertAllRan(): void;
}

export function expectCommands(...expected: readonly ExpectedCommand[]): ExpectedCommands {
  let next = 0;
  return {
    run: (command) => {
      const call = expected[next];
      next += 1;
      // Rejected, not thrown: as the real door does it, so that the caller's own handling is what is tested.
      return new Promise((resolve) => {
        assert.ok(call !== undefined, `call ${next} was not expected: ${commandLine(command)}`);
        assert.equal(commandLine(command), typeof call.run === "string" ? call.run : commandLine(call.run));
        assert.ok(command.timeoutMs > 0, "every command has a bound");
        resolve({ status: call.status ?? 0, stdout: call.stdout ?? "", stderr: call.stderr ?? "" });
      });
    },
    assertAllRan: () => {
      assert.equal(next, expected.length, `only ${next} of ${expected.length} expected calls came`);
    },
  };
}

/** Output that a real program once gave, kept under tests/recorded/. */
export function recorded(name: string): string {
  return readFileSync(join(import.meta.dirname, "recorded", name), "utf8");
}
