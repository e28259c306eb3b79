/** The clients of a serving fileserver, from what its watch saw last. */
import { isAway, awayBecause, v4ClientsAway } from "../failover/grace.ts";
import { v4Identity, type ClientConnection, type V3Client, type V4Client } from "../failover/ledger.ts";
import { hostOfOwner, parseClientStates } from "../nfs/client-info.ts";
import type { ClientStatus } from "../wire/clients.ts";
import { readOptional } from "./inside.ts";
import type { ServiceView } from "./service-watch.ts";
import { lookAtV4Clients } from "./v4-clients.ts";

const NO_COUNTS = { opens: undefined, locks: undefined, delegations: undefined } as const;

export async function clientsOf(view: ServiceView, insidePid: number): Promise<readonly ClientStatus[]> {
  return [...(await v4Clients(view, insidePid)), ...v3Clients(view)];
}

async function v4Clients(view: ServiceView, insidePid: number): Promise<readonly ClientStatus[]> {
  const seen = await lookAtV4Clients(insidePid, []);
  const since = new Map(view.ledger.v4Clients.map((one) => [v4Identity(one), one.sinceMs]));
  const present = await Promise.all(
    seen.map(async ({ folder, info }): Promise<ClientStatus> => {
      const text = await readOptional(`${folder}/states`).catch(() => undefined);
      return {
        address: info.address,
        name: nameOf(info.owner),
        protocol: protocolOf(info.minorVersion),
        state: info.status === "confirmed" ? "active" : "silent",
        ...(text === undefined ? NO_COUNTS : parseClientStates(text)),
        sinceMs: since.get(v4Identity(info)) ?? view.ledger.writtenAtMs,
        ...(view.grace.v4.lasts ? { reclaim: { state: "reclaiming", because: "is back" } } : {}),
      };
    }),
  );
  if (!view.grace.v4.lasts || !view.inherited.ledger.known) return present;
  return [...present, ...v4ClientsAway(view.inherited.ledger.value, view.look).map(absentV4Client)];
}

function absentV4Client(client: V4Client): ClientStatus {
  return {
    address: client.address,
    name: nameOf(client.owner),
    protocol: protocolOf(client.minorVersion),
    state: "gone",
    ...NO_COUNTS,
    sinceMs: client.sinceMs,
    reclaim: {
      state: "waiting",
      because: client.courtesy ? "its lease had expired before the takeover" : "has not come back",
    },
  };
}

/** Clients that are not Linux choose other forms of owner strings: those stand as they are. */
function nameOf(owner: string): string {
  return hostOfOwner(owner) || owner;
}

function protocolOf(minorVersion: number): ClientStatus["protocol"] {
  return minorVersion === 0 ? "v4.0" : minorVersion === 1 ? "v4.1" : "v4.2";
}

/** Clients that hold or held locks, by statd's name, and those that are only connected and are no v4 client's address. */
function v3Clients(view: ServiceView): readonly ClientStatus[] {
  const { look, ledger } = view;
  const v4Addresses = new Set(look.v4Clients.map((one) => one.address));
  const lockers = new Set(ledger.v3Clients.flatMap((one) => one.addresses));
  const connected = new Map(look.connections.map((one) => [one.remoteAddress, one] as const));
  const others = [...connected.values()].filter(
    ({ remoteAddress }) => !v4Addresses.has(remoteAddress) && !lockers.has(remoteAddress),
  );
  // One client with locks has them all; of several the kernel does not say whose each is.
  const locks = ledger.v3Clients.length === 1 ? look.v3Locks.length : undefined;
  return [
    ...ledger.v3Clients.map((client) => lockingClient(view, client, connected, locks)),
    ...others.map(({ remoteAddress }): ClientStatus => ({
      address: remoteAddress,
      name: "",
      protocol: "v3",
      state: "active",
      ...NO_COUNTS,
      locks: 0,
      sinceMs: ledger.writtenAtMs,
    })),
  ];
}

function lockingClient(
  view: ServiceView,
  client: V3Client,
  connected: ReadonlyMap<string, ClientConnection>,
  locks: number | undefined,
): ClientStatus {
  const { graceSight, grace } = view;
  const away = isAway(client, graceSight);
  return {
    address: client.addresses[0] ?? "",
    name: client.name,
    protocol: "v3",
    state: client.addresses.some((address) => connected.has(address)) ? "active" : "silent",
    ...NO_COUNTS,
    locks,
    sinceMs: client.sinceMs,
    ...(grace.v3.lasts
      ? {
          reclaim: away
            ? { state: "waiting", because: awayBecause(client.name, graceSight) }
            : { state: "reclaiming", because: "notified, and has reconnected" },
        }
      : {}),
  };
}
