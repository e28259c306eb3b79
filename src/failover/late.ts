/**
 * Clients that lost something at a grace's limit and do not know it: everything that they believe to hold may be
 * somebody else's by now, and lockd grants a reclaim to whoever comes first (nlmsvc_lock, fs/lockd/svclock.c). So they
 * must not be told to reclaim while any grace lasts. The ledger names them until they have been told, over moves,
 * crashes and agents.
 *
 * INVARIANTS
 * - Named before anybody can have what they lost: a grace is ended at its limit when the entry is on the volume.
 * - While a grace lasts nobody of them stands in the list of those to be notified.
 */
import type { MonitoredClient } from "./ledger.ts";

export interface LateClient extends MonitoredClient {
  /** Not in the list of those to be notified: comes back to it when the grace of this server is over. */
  readonly deferred: boolean;
}

/** At a takeover nobody of them is told before its grace is over. Who was told since the last entry was written is one of them. */
export function deferLate(late: readonly LateClient[] | undefined): readonly LateClient[] {
  return (late ?? []).map((client) => ({ ...client, deferred: true }));
}

export function withoutLate<T extends MonitoredClient>(
  clients: readonly T[],
  late: readonly LateClient[] | undefined,
): readonly T[] {
  if (late === undefined) return clients;
  const names = new Set(late.map(({ name }) => name));
  return clients.filter(({ name }) => !names.has(name));
}

export interface LateLook {
  /** Of the entry on the volume. */
  readonly before: readonly LateClient[];
  /** Still in the list of those to be notified. */
  readonly unnotified: readonly MonitoredClient[];
  /** lockd's grace goes on after this look. */
  readonly graceLasts: boolean;
  /** This look ends it, with whoever has not come back. */
  readonly endsAtLimit: boolean;
  /** The list of those to be notified is dropped with the end of the grace. */
  readonly listDropped: boolean;
}

export interface LateOutcome {
  readonly late: readonly LateClient[];
  /** To be put into the list of those to be notified. */
  readonly list: readonly MonitoredClient[];
}

export function lateAfterLook({ before, unnotified, graceLasts, endsAtLimit, listDropped }: LateLook): LateOutcome {
  const listed = new Set(unnotified.map(({ name }) => name));
  const untold = before.filter(({ name, deferred }) => deferred || listed.has(name));
  if (graceLasts) return { late: untold, list: [] };
  const list = untold.filter(({ deferred }) => deferred || listDropped);
  const lost = endsAtLimit ? withoutLate(unnotified, untold) : [];
  const late = [...untold, ...lost].map(({ name, addresses }) => ({ name, addresses, deferred: false }));
  return { late, list: list.map(({ name, addresses }) => ({ name, addresses })) };
}
