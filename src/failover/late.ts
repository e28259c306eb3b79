/**
 * Clients that lost something at a grace's limit and do not know it: everything that they believe to hold may be
 * somebody else's by now, and lockd grants a reclaim to whoever comes first (nlmsvc_lock, fs/lockd/svclock.c). So they
 * must not be told to reclaim while any grace lasts. The ledger names them until they have been told, over moves,
 * crashes and agents.
 *
 * INVARIANTS
 * - Named before anybody can have what they lost: a grace is ended at its limit when the entry is on the volume.
 * - Whoever is late at a takeover is in the list of those to be notified only when its graces are over.
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
  /** lockd's grace or nfsd's goes on after this look: lockd grants a reclaim while either lasts (fs/nfs_common/grace.c). */
  readonly graceLasts: boolean;
  /** This look ends lockd's, with whoever has not come back. */
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
  const offTheList = untold.map((client) => ({ ...client, deferred: client.deferred || listDropped }));
  // What they have lost is nobody else's while nfsd's grace lasts: they may be told, as everybody may.
  const lost = (endsAtLimit ? withoutLate(unnotified, untold) : []).map((client) => asLate(client, false));
  if (graceLasts) return { late: [...offTheList, ...lost], list: [] };
  const list = offTheList.filter(({ deferred }) => deferred);
  return {
    late: [...untold.map((client) => asLate(client, false)), ...lost],
    list: list.map(({ name, addresses }) => ({ name, addresses })),
  };
}

function asLate({ name, addresses }: MonitoredClient, deferred: boolean): LateClient {
  return { name, addresses, deferred };
}
