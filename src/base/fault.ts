/**
 * The one error class. Each layer says only its own part and chains the rest as `cause`;
 * `explain` walks the chain. Operating errors are Faults; bugs are assertions.
 */

/** Exit status of the command line for each kind of failure (docs/commands.md). */
export type FaultKind =
  /** The operation was tried and did not work: exit status 1. */
  | "failed"
  /** Wrong usage or an invalid spec; nothing was tried: exit status 2. */
  | "invalid"
  /** Refused because it could lose data or serve twice; nothing was changed: exit status 3. */
  | "refused";

export interface FaultParts {
  readonly kind?: FaultKind;
  /** Stable, kebab-case; scripts and tests match on it, so it never changes its meaning. */
  readonly code: string;
  /** What happened, with the names of the things concerned. */
  readonly what: string;
  /** Why it matters or why it happened, where the caller can know. */
  readonly why?: string;
  /** What the operator should do now. */
  readonly remedy?: string;
  readonly cause?: unknown;
}

export class Fault extends Error {
  readonly kind: FaultKind;
  readonly code: string;
  readonly why: string | undefined;
  readonly remedy: string | undefined;

  constructor(parts: FaultParts) {
    super(parts.what, parts.cause === undefined ? undefined : { cause: parts.cause });
    this.name = "Fault";
    this.kind = parts.kind ?? "failed";
    this.code = parts.code;
    this.why = parts.why;
    this.remedy = parts.remedy;
  }
}

/** A Fault as data, for `--json` and for the agent's API. */
export interface FaultDocument {
  readonly kind: FaultKind;
  readonly code: string;
  readonly what: string;
  readonly why?: string;
  readonly remedy?: string;
  /** The chain of causes, outermost first. */
  readonly because?: readonly string[];
}

const CAUSE_DEPTH_MAX = 16;

function causesOf(error: unknown): readonly string[] {
  const causes: string[] = [];
  let cause: unknown = error instanceof Error ? error.cause : undefined;
  while (cause !== undefined && causes.length < CAUSE_DEPTH_MAX) {
    causes.push(messageOf(cause));
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return causes;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export function toFault(error: unknown): Fault {
  if (error instanceof Fault) return error;
  return new Fault({
    code: "unexpected",
    what: messageOf(error),
    cause: error instanceof Error ? error.cause : undefined,
  });
}

export function faultDocument(error: unknown): FaultDocument {
  const fault = toFault(error);
  const because = causesOf(fault);
  return {
    kind: fault.kind,
    code: fault.code,
    what: fault.message,
    ...(fault.why === undefined ? {} : { why: fault.why }),
    ...(fault.remedy === undefined ? {} : { remedy: fault.remedy }),
    ...(because.length === 0 ? {} : { because }),
  };
}

export function faultFromDocument(document: FaultDocument): Fault {
  let cause: Error | undefined;
  for (const text of (document.because ?? []).toReversed()) {
    cause = cause === undefined ? new Error(text) : new Error(text, { cause });
  }
  return new Fault({ ...document, ...(cause === undefined ? {} : { cause }) });
}

/** The whole story as lines for a person: what, because, why, remedy. */
export function explain(error: unknown): readonly string[] {
  const document = faultDocument(error);
  const lines = [document.what];
  for (const cause of document.because ?? []) lines.push(`  because: ${cause}`);
  if (document.why !== undefined) lines.push(`  why: ${document.why}`);
  if (document.remedy !== undefined) lines.push(`  do: ${document.remedy}`);
  return lines;
}
