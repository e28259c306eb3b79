/**
 * What agents and directors say to each other: a director asks an agent for its roles, an agent tells directors that one
 * has changed.
 *
 * Both know a secret (a file for root alone on every node and director). A question is signed with it, and so is its
 * answer, over the nonce of the question: an answer cannot be an old one. For notices the same freshness comes from the
 * director: each of its answers to a notice carries a nonce for the next one. Wall clocks have no part in it, because
 * a node that comes back from a power cut has the wrong time, and is to be heard all the same. A notice without a good
 * nonce (the first one, one after a restart, a repeated one) only makes the director ask.
 *
 * HTTP, so that the agent knows when the director has followed and may wake its clients; not TLS, because nothing of it
 * is secret.
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { ROLE_WORDS } from "../model/role.ts";

/** On nodes. GET; answers `RoleAnswer`. */
export const ROLES_PATH = "/v1/roles";
/** On directors. POST `Notice`; answers `NoticeAnswer`. */
export const NOTICES_PATH = "/v1/notices";

const term = z.int().min(1).optional();

export const roleAnswerSchema = z.object({
  cluster: z.string(),
  node: z.string(),
  fileservers: z.array(
    z.object({
      name: z.string(),
      role: z.enum(ROLE_WORDS),
      /**
       * Counts the takeovers of the fileserver: a number on its volume, written by every takeover before it opens. Of two
       * nodes that say that they serve, the one with the higher number is right. Left out where it is not known.
       */
      term,
    }),
  ),
});
export type RoleAnswer = z.output<typeof roleAnswerSchema>;

export const noticeSchema = z.object({
  cluster: z.string(),
  node: z.string(),
  fileserver: z.string(),
  role: z.enum(ROLE_WORDS),
  term,
  /** From the last answer of this director; left out where there was none. */
  nonce: z.string().max(64).optional(),
});
export type Notice = z.output<typeof noticeSchema>;

export const noticeAnswerSchema = z.object({
  /** For the next notice to this director. */
  nonce: z.string(),
  /** True: the director's table is as the notice says, or needs no change. */
  followed: z.boolean(),
});
export type NoticeAnswer = z.output<typeof noticeAnswerSchema>;

export const NONCE_HEADER = "holdfast-nonce";
export const SIGNATURE_HEADER = "holdfast-signature";
const NONCE_BYTES = 16;

export function makeNonce(): string {
  return randomBytes(NONCE_BYTES).toString("hex");
}

export interface SignedRequest {
  readonly method: string;
  readonly path: string;
  readonly nonce: string;
  readonly body: string;
}

export function requestSignature(secret: string, { method, path, nonce, body }: SignedRequest): string {
  return sign(secret, ["holdfast request", method, path, nonce, digest(body)]);
}

/** `nonce` is the request's. */
export function answerSignature(secret: string, nonce: string, status: number, body: string): string {
  return sign(secret, ["holdfast answer", nonce, String(status), digest(body)]);
}

export function sameSignature(given: unknown, wanted: string): boolean {
  if (typeof given !== "string") return false;
  const [a, b] = [Buffer.from(given), Buffer.from(wanted)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** None of the parts can hold a line break: methods, paths, hexadecimal digits and numbers. */
function sign(secret: string, parts: readonly string[]): string {
  return createHmac("sha256", secret).update(parts.join("\n")).digest("hex");
}

function digest(body: string): string {
  return createHash("sha256").update(body).digest("hex");
}
