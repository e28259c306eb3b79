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

export interface ReclaimFacts {
  /** NLM locks that were held at the release. */
  readonly held: number;
  /** NLM locks on the volumes now; while the grace lasts only reclaims are granted (nlmsvc_lock, fs/lockd/svclock.c). */
  readonly reclaimed: Observed<number>;
  /** Clients in statd's list that have not answered their notification. */
  readonly unnotified: Observed<number>;
}

/** Whether a grace that was kept may end before its time: when every lock that was held is held again. */
export function ruleReclaimed(facts: ReclaimFacts): GraceRuling {
  if (!facts.unnotified.known)
    return { end: false, because: `statd's list could not be read: ${facts.unnotified.why}` };
  if (!facts.reclaimed.known) return { end: false, because: `the locks could not be read: ${facts.reclaimed.why}` };
  if (facts.unnotified.value > 0)
    return { end: false, because: `${facts.unnotified.value} clients have not answered their notification` };
  if (facts.reclaimed.value < facts.held)
    return { end: false, because: `${facts.reclaimed.value} of ${facts.held} v3 locks are reclaimed` };
  return { end: true, because: `all ${facts.held} v3 locks are reclaimed` };
}
