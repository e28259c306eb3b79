/**
 * Notices of agents: what a fileserver is on a node now. One with a nonce that this director has given out, and that has
 * not been used, is believed as it stands; any other only makes the director ask (wire/role.ts says why).
 */
import { Fault } from "../base/fault.ts";
import { unreachable } from "../base/assert.ts";
import type { HealthEvent } from "../balance/health.ts";
import type { ServerNews } from "../balance/outlook.ts";
import type { DirectorServiceSpec } from "../model/director-spec.ts";
import type { RoleWord } from "../model/role.ts";
import type { Notice, NoticeAnswer } from "../wire/role.ts";

export interface NoticeParts {
  readonly cluster: string;
  readonly services: readonly DirectorServiceSpec[];
  readonly makeNonce: () => string;
  /** Resolves when what follows is in force. */
  readonly tell: (service: string, news: ServerNews) => Promise<unknown>;
  readonly look: (service: string, server: string) => Promise<unknown>;
  /** Who gets the service's packets now; undefined where the kernel is not as it should be. */
  readonly serving: (service: string) => readonly string[] | undefined;
  /** Resolves with undefined when that takes longer than an agent may be kept waiting. */
  readonly within: (work: Promise<unknown>) => Promise<unknown>;
}

/** Agents use one at a time; more are kept for several nodes and fileservers, and for answers that were lost. */
const NONCES_KEPT = 256;

export function noticeTaker(parts: NoticeParts): (notice: Notice) => Promise<NoticeAnswer> {
  const nonces = new Set<string>();
  const nextNonce = (): string => {
    const nonce = parts.makeNonce();
    nonces.add(nonce);
    const [oldest] = nonces;
    if (nonces.size > NONCES_KEPT && oldest !== undefined) nonces.delete(oldest);
    return nonce;
  };
  return async (notice) => {
    const service = serviceOf(parts, notice);
    const fresh = notice.nonce !== undefined && nonces.delete(notice.nonce);
    const event = fresh ? eventOf(notice.role) : undefined;
    const { node: server, term } = notice;
    await parts.within(
      event === undefined
        ? parts.look(service.name, server)
        : parts.tell(service.name, { server, event, ...(term === undefined ? {} : { term }) }),
    );
    return { nonce: nextNonce(), followed: isFollowed(notice, parts.serving(service.name)) };
  };
}

function isFollowed({ node, role }: Notice, serving: readonly string[] | undefined): boolean {
  if (serving === undefined) return false;
  if (role === "serving") return serving.includes(node);
  return role !== "standby" || !serving.includes(node);
}

function eventOf(role: RoleWord): HealthEvent | undefined {
  switch (role) {
    case "opening":
      return "told-opening";
    case "serving":
      return "told-serving";
    case "releasing":
      return "told-releasing";
    case "standby":
      return "serves-not";
    case "unclear":
      return undefined;
    default:
      return unreachable(role);
  }
}

function serviceOf(parts: NoticeParts, notice: Notice): DirectorServiceSpec {
  const service = parts.services.find(({ fileserver }) => fileserver === notice.fileserver);
  const known = service?.servers.some(({ name }) => name === notice.node) === true;
  if (notice.cluster === parts.cluster && service !== undefined && known) return service;
  throw new Fault({
    kind: "invalid",
    code: "notice-not-ours",
    what: `there is no ${notice.fileserver} on ${notice.node} of ${notice.cluster} behind this director`,
    remedy: "give nodes and directors the same spec: holdfast apply",
  });
}
