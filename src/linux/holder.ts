/**
 * The holder: one small shell per fileserver that owns its namespaces and runs commands in them.
 *
 * Why a resident shell and not `nsenter` per command: it starts a program with one fork of a tiny process (a few
 * milliseconds even under emulation) where the agent would need a fork of its own address space and two execs, and
 * everything it starts is in the fileserver's own scope, so it outlives the agent.
 *
 * The node itself has one too, in no namespaces of its own, for the tools of LVM and SCSI.
 *
 * Nothing is ever evaluated: a request is a file with one word per line, a line ";" ends a command, and the words go
 * to the program as they are. The holder reads request numbers from a FIFO that it holds open for writing too, so it
 * sees no end of file when the agent dies, and goes on with the next agent.
 */
import { assert } from "../base/assert.ts";

/** Files in the holder's folder (root only). */
export const HOLDER_FILES = { commands: "commands", answers: "answers", pid: "holder.pid" } as const;

export function requestFile(id: string): string {
  return `request.${id}`;
}

export function outputFile(id: string): string {
  return `output.${id}`;
}

export function errorsFile(id: string): string {
  return `errors.${id}`;
}

/** Any of the three, of whatever request. */
export function isRequestsFile(name: string): boolean {
  return [requestFile(""), outputFile(""), errorsFile("")].some((begin) => name.startsWith(begin));
}

/** POSIX shell; the only argument is the holder's folder. `write_file`, `with_input` and `background` are the words it adds. */
export const HOLDER_SCRIPT = `#!/bin/sh
umask 022
cd "$1" || exit 1
[ -p commands ] || mkfifo -m 600 commands answers || exit 1
exec 3<>commands 4<>answers || exit 1
echo $$ >holder.pid
write_file() { printf '%s\\n' "$2" >"$1"; }
with_input() { file=$1; shift; "$@" <"$file"; }
background() { "$@" >/dev/null 2>&1 & }
while read -r id <&3; do
  jobs >/dev/null
  (
    status=0
    set --
    while IFS= read -r word <&5; do
      if [ "$word" = ";" ]; then
        "$@" </dev/null 3<&- 4<&- 5<&- || { status=$?; break; }
        set --
      else
        set -- "$@" "$word"
      fi
    done 5<"request.$id"
    echo "$id $status" >&4
  ) >"output.$id" 2>"errors.$id" &
done
`;

/** A program and its arguments; or ["write_file", path, text], ["with_input", path, program, …], ["background", program, …]. */
export type HolderCommand = readonly string[];

/** Commands run one after the other and stop at the first that fails. */
export function encodeRequest(commands: readonly HolderCommand[]): string {
  const lines: string[] = [];
  for (const command of commands) {
    for (const word of command) {
      assert(
        !word.includes("\n") && !word.includes("\0") && word !== ";",
        `word ${JSON.stringify(word)} cannot be sent to a holder`,
      );
      lines.push(word);
    }
    lines.push(";");
  }
  return `${lines.join("\n")}\n`;
}

export interface HolderAnswer {
  readonly id: string;
  readonly status: number;
}

/** One line of the answers FIFO, or undefined for what a dead agent's request left there half written. */
export function parseAnswer(line: string): HolderAnswer | undefined {
  const match = /^([a-z0-9-]+) (\d+)$/.exec(line);
  return match?.[1] === undefined ? undefined : { id: match[1], status: Number(match[2]) };
}
