/** Asks before something is changed. */
import { createInterface } from "node:readline";
import { Fault } from "../base/fault.ts";
import type { Io, Option } from "./command.ts";

export const YES_OPTION: Option = { flags: "--yes", help: "do not ask" };

/** Asks one question; resolves with the answer, or undefined where nobody is there to give one. */
export type AskYesNo = (question: string) => Promise<string | undefined>;

/**
 * Resolves where the operator agrees. Refused (status 3) where they do not, and where nobody can be asked: what changes
 * machines is never done because nobody objected.
 */
export async function confirm(
  question: string,
  options: Readonly<Record<string, unknown>>,
  io: Io,
  ask: AskYesNo = askTerminal,
): Promise<void> {
  if (options["yes"] === true) return;
  const answer = io.json ? undefined : await ask(`${question} [y/N] `);
  if (answer === undefined) {
    throw new Fault({
      kind: "refused",
      code: "not-confirmed",
      what: "nothing was changed: there is no terminal to ask on",
      remedy: "look at what would be done, then say --yes",
    });
  }
  if (/^y(?:es)?$/i.test(answer.trim())) return;
  throw new Fault({ kind: "refused", code: "not-confirmed", what: "nothing was changed" });
}

const askTerminal: AskYesNo = async (question) => {
  if (!process.stdin.isTTY) return undefined;
  const terminal = createInterface({ input: process.stdin });
  try {
    process.stderr.write(question);
    for await (const line of terminal) return line;
    return undefined;
  } finally {
    terminal.close();
  }
};
