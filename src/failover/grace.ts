/**
 * When lockd's grace may end before anybody reclaims. Nothing is ended on hope: a lock that somebody still has to
 * reclaim would be lost (docs/kernel-nfs.md, section 3).
 */
import type { Observed } from "../base/observed.ts";

/** What the release left for the takeover on the volume (`handover.json`); removed once read. */
export interface Handover {
  /** NLM locks held on the volumes after the address fell silent: nobody could add one since. */
  readonly nlmLocksHeld: number;
}

export interface GraceFacts {
  /** Undefined after a crash: nobody was there to write it. */
  readonly handover: Observed<Handover | undefined>;
  /** Clients in statd's list: those who held locks at some time, maybe not now. */
  readonly monitoredClients: Observed<number>;
}

export interface GraceRuling {
  readonly end: boolean;
  readonly because: string;
}

export function ruleLockdGrace(facts: GraceFacts): GraceRuling {
  if (!facts.monitoredClients.known)
    return { end: false, because: `statd's list could not be read: ${facts.monitoredClients.why}` };
  // lockd records a client before its first lock is granted and refuses the lock if it cannot (nlmsvc_lock, fs/lockd/svc4proc.c).
  if (facts.monitoredClients.value === 0)
    return { end: true, because: "no v3 client was monitored, so none holds a lock" };
  if (!facts.handover.known)
    return { end: false, because: `the release's record could not be read: ${facts.handover.why}` };
  if (facts.handover.value === undefined) {
    return {
      end: false,
      because: `${facts.monitoredClients.value} v3 clients may hold locks, and no orderly release says otherwise`,
    };
  }
  const held = facts.handover.value.nlmLocksHeld;
  if (held === 0) return { end: true, because: "the release saw no v3 lock held" };
  return { end: false, because: `${held} v3 locks wait to be reclaimed` };
}
