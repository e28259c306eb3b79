import type { GracePart, GraceStatus } from "../wire/clients.ts";
import { printable } from "./printable.ts";

const PARTS = [
  ["NFSv4", "v4"],
  ["NFSv3 locks", "v3"],
] as const;

/** What an operator reads of a grace that lasts: until when at most, and whom it waits for. Nothing of one that is over. */
export function lastingGraceLines(grace: GraceStatus): readonly string[] {
  return PARTS.flatMap(([what, key]) => (grace[key].lasts ? partLines(what, grace[key]) : []));
}

/** The same, with what is over and why. */
export function graceLines(grace: GraceStatus): readonly string[] {
  return PARTS.flatMap(([what, key]) => partLines(what, grace[key]));
}

function partLines(what: string, part: GracePart): readonly string[] {
  const bound = part.endsWithinS === undefined ? "" : `, for at most ${Math.ceil(part.endsWithinS)} s more`;
  return [
    `grace for ${what}: ${part.lasts ? `lasts${bound}` : "over"}`,
    ...part.because.map((reason) => `  ${printable(reason)}`),
  ];
}
