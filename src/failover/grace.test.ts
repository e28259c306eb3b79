import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { known, unknown } from "../base/observed.ts";
import {
  lockdGraceS,
  RECLAIM_QUIET_MS,
  ruleBeforeOpening,
  ruleWhileWaiting,
  v4GraceReasons,
  type GraceSight,
  type Inheritance,
} from "./grace.ts";
import type { Ledger, MonitoredClient, V3Lock, V4Client } from "./ledger.ts";
import { STEP_BOUNDS_MS } from "./step.ts";

const LIMIT_MS = 20_000;
const C1: MonitoredClient = { name: "c1", addresses: ["10.77.0.21"] };
const C2: MonitoredClient = { name: "c2", addresses: ["10.77.0.22"] };

function steady(...keys: readonly string[]): readonly V3Lock[] {
  return keys.map((key) => ({ key, steady: true }));
}

function ledger(final: boolean, v3Locks: readonly V3Lock[] = []): Ledger {
  return { node: "n1", writtenAtMs: 0, final, connections: [], v3Clients: [], v4Clients: [], v3Locks };
}

function left(final: boolean, v3Locks: readonly V3Lock[], ...monitored: readonly MonitoredClient[]): Inheritance {
  return { ledger: known(ledger(final, v3Locks)), monitored: known(monitored) };
}

/** Everybody is back and quiet, and nothing is locked, unless said otherwise. */
function sight(change: Partial<GraceSight> = {}): GraceSight {
  return {
    unnotified: [],
    connected: ["10.77.0.21", "10.77.0.22"],
    v3Locks: [],
    quietMs: RECLAIM_QUIET_MS,
    interrupted: false,
    notifiedAgoMs: new Map(),
    elapsedMs: 1000,
    ...change,
  };
}

test("nobody waits for a client that lost everything at a limit before", () => {
  const late = [{ ...C1, deferred: true }];
  const crashed = (...monitored: readonly MonitoredClient[]): Inheritance => ({
    ledger: known({ ...ledger(false), late }),
    monitored: known(monitored),
  });
  assert.equal(ruleBeforeOpening(crashed(C1)).end, true);
  assert.equal(ruleBeforeOpening(crashed(C1, C2)).end, false);
  const away = sight({ connected: ["10.77.0.22"] });
  assert.equal(ruleWhileWaiting(crashed(C1, C2), known(away), LIMIT_MS).end, true);
  assert.equal(ruleWhileWaiting(left(false, [], C1, C2), known(away), LIMIT_MS).end, false);
});

test("lockd ends its grace after the agent does, however long the address takes to open", () => {
  const after = ["start-nfsd", "end-lockd-grace", "open-address", "tell-directors", "claim-volume-group"] as const;
  const latestS = [...after, "tickle-connections" as const].reduce((sum, kind) => sum + STEP_BOUNDS_MS[kind], 0) / 1000;
  for (const graceS of [10, 20, 60]) assert.ok(lockdGraceS(graceS) >= graceS + latestS, `${graceS} s`);
  assert.equal(lockdGraceS(3600), 240, "lockd takes no more");
});

interface Case {
  readonly name: string;
  readonly left: Inheritance;
  readonly sight?: GraceSight;
  readonly end: boolean;
  readonly because: RegExp;
}

const BEFORE_OPENING: readonly Case[] = [
  { name: "nobody was monitored", left: left(true, []), end: true, because: /no v3 client was monitored/ },
  {
    name: "nobody was monitored, and the node crashed without a ledger",
    left: { ledger: known(undefined), monitored: known([]) },
    end: true,
    because: /no v3 client was monitored/,
  },
  { name: "the release saw no lock", left: left(true, [], C1, C2), end: true, because: /saw no v3 lock/ },
  { name: "the release saw locks", left: left(true, steady("a", "b"), C1), end: false, because: /2 v3 locks .*: c1/ },
  { name: "a crash, no lock in the ledger", left: left(false, [], C1), end: false, because: /1 v3 client may hold/ },
  {
    name: "a crash before the first ledger",
    left: { ledger: known(undefined), monitored: known([C1, C2]) },
    end: false,
    because: /2 v3 clients may hold locks/,
  },
  {
    name: "the ledger could not be read",
    left: { ledger: unknown("EIO"), monitored: known([C1]) },
    end: false,
    because: /ledger could not be read: EIO/,
  },
  {
    name: "statd's list could not be read",
    left: { ledger: known(ledger(true)), monitored: unknown("EIO") },
    end: false,
    because: /statd's list could not be read: EIO/,
  },
];

const WHILE_WAITING: readonly Case[] = [
  {
    name: "after a release every lock is back, whoever is still to be notified",
    left: left(true, steady("a", "b"), C1, C2),
    sight: sight({ v3Locks: ["b", "a"], unnotified: ["c2"], connected: ["10.77.0.21"], quietMs: 0 }),
    end: true,
    because: /all 2 v3 locks are back/,
  },
  {
    name: "after a release one lock is missing",
    left: left(true, steady("a", "b"), C1),
    sight: sight({ v3Locks: ["a"], quietMs: 9_000 }),
    end: false,
    because: /1 of 2 v3 locks reclaimed/,
  },
  {
    name: "after a release a lock is missing that had only been seen once; all are back and quiet",
    left: left(true, [...steady("a"), { key: "b", steady: false }], C1),
    sight: sight({ v3Locks: ["a"] }),
    end: true,
    because: /every v3 client is back, 1 v3 lock held/,
  },
  {
    name: "the same, but locks have just come back: more may follow",
    left: left(true, [...steady("a"), { key: "b", steady: false }], C1),
    sight: sight({ v3Locks: ["a"], quietMs: RECLAIM_QUIET_MS - 1 }),
    end: false,
    because: /still reclaims/,
  },
  {
    name: "the same and quiet, but clients were kept away in between",
    left: left(true, [...steady("a"), { key: "b", steady: false }], C1),
    sight: sight({ v3Locks: ["a"], interrupted: true }),
    end: false,
    because: /kept away/,
  },
  {
    name: "after a release every lock is back, though clients were kept away in between",
    left: left(true, steady("a"), C1),
    sight: sight({ v3Locks: ["a"], interrupted: true }),
    end: true,
    because: /all 1 v3 locks are back/,
  },
  {
    name: "after a crash all of the ledger's locks are back, but one client is away: it may have had one more",
    left: left(false, steady("a"), C1, C2),
    sight: sight({ v3Locks: ["a"], connected: ["10.77.0.21"], notifiedAgoMs: new Map([["c2", 3000]]) }),
    end: false,
    because: /waiting for c2: notified 3 s ago, has not reconnected/,
  },
  {
    name: "after a crash one client has not answered",
    left: left(false, [], C1, C2),
    sight: sight({ unnotified: ["c2"] }),
    end: false,
    because: /waiting for c2: has not answered its notification/,
  },
  {
    name: "after a crash a client without an address can never be seen to be back",
    left: left(false, [], { name: "c3", addresses: [] }),
    sight: sight(),
    end: false,
    because: /waiting for c3/,
  },
  {
    name: "after a crash everybody is back, with everything, and quiet",
    left: left(false, steady("a", "b"), C1, C2),
    sight: sight({ v3Locks: ["a", "b", "c"] }),
    end: true,
    because: /every v3 client is back, 3 v3 locks held/,
  },
  {
    name: "the limit",
    left: left(false, steady("a"), C1, C2),
    sight: sight({ unnotified: ["c2"], elapsedMs: LIMIT_MS }),
    end: true,
    because: /limit of 20 s is over; waiting for c2: .*; 0 of 1 v3 lock reclaimed/,
  },
  {
    name: "an unreadable ledger waits for the limit, though all are back",
    left: { ledger: unknown("EIO"), monitored: known([C1]) },
    sight: sight({ quietMs: 9_000 }),
    end: false,
    because: /EIO/,
  },
];

describe("lockd's grace before the address is open", () => {
  for (const { name, left: inherited, end, because } of BEFORE_OPENING) {
    test(`${name}: ${end ? "ended" : "kept"}`, () => {
      const ruling = ruleBeforeOpening(inherited);
      assert.equal(ruling.end, end);
      assert.match(ruling.because.join("; "), because);
    });
  }
});

describe("lockd's grace while clients come back", () => {
  for (const { name, left: inherited, sight: seen = sight(), end, because } of WHILE_WAITING) {
    test(`${name}: ${end ? "ended" : "kept"}`, () => {
      const ruling = ruleWhileWaiting(inherited, known(seen), LIMIT_MS);
      assert.equal(ruling.end, end);
      assert.match(ruling.because.join("; "), because);
    });
  }

  test("what cannot be seen is waited for", () => {
    assert.deepEqual(ruleWhileWaiting(left(true, [], C1), unknown("no such file"), LIMIT_MS), {
      end: false,
      because: ["the locks could not be read: no such file"],
    });
  });
});

/** What is really so: each client's locks, which of them the ledger had, who is back and how far. */
const worlds = fc.record({
  final: fc.boolean(),
  clients: fc.array(
    fc.record({
      locks: fc.array(fc.record({ steady: fc.boolean(), inLedger: fc.boolean() }), { maxLength: 4 }),
      notified: fc.boolean(),
      connected: fc.boolean(),
      reclaimed: fc.nat(4),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  quiet: fc.boolean(),
  elapsedMs: fc.nat(LIMIT_MS - 1),
});

test("never ended before its limit while a client that can still come back has a lock to reclaim", () => {
  fc.assert(
    fc.property(worlds, ({ final, clients, quiet, elapsedMs }) => {
      const named = clients.map((client, at) => ({
        ...client,
        who: { name: `c${at}`, addresses: [`10.0.0.${at}`] },
        // A client reclaims in order; one that is not connected has reclaimed nothing.
        back: client.connected ? Math.min(client.reclaimed, client.locks.length) : 0,
        keys: client.locks.map((_, lock) => `c${at}-${lock}`),
      }));
      const inherited = left(
        final,
        // A final ledger names every lock; another may lack those that came in its last second.
        named.flatMap(({ locks, keys }) =>
          locks.flatMap((lock, at) =>
            final || (lock.steady && lock.inLedger) ? [{ key: keys[at] ?? "", steady: lock.steady }] : [],
          ),
        ),
        ...named.map(({ who }) => who),
      );
      const unfinished = named.some(({ back, keys }) => back < keys.length);
      // A client that is connected and still reclaims is not quiet: that is what quiet means.
      const reclaiming = named.some(
        ({ connected, notified, back, keys }) => connected && notified && back < keys.length,
      );
      const seen = sight({
        unnotified: named.filter((one) => !one.notified).map(({ who }) => who.name),
        connected: named.filter((one) => one.connected).flatMap(({ who }) => who.addresses),
        v3Locks: named.flatMap(({ keys, back }) => keys.slice(0, back)),
        quietMs: quiet && !reclaiming ? RECLAIM_QUIET_MS : 0,
        elapsedMs,
      });
      if (unfinished) assert.equal(ruleWhileWaiting(inherited, known(seen), LIMIT_MS).end, false);
    }),
  );
});

test("who nfsd waits for is named, with the reason", () => {
  const client = (owner: string, courtesy: boolean): V4Client => ({
    owner,
    address: "10.77.0.21",
    minorVersion: 2,
    courtesy,
    sinceMs: 0,
  });
  const before = { ...ledger(false), v4Clients: [client("a", false), client("b", true), client("c", false)] };
  assert.deepEqual(v4GraceReasons(before, { v4Clients: [client("c", false)] }), [
    "waiting for a (10.77.0.21): has not come back",
    "waiting for b (10.77.0.21): its lease had expired before the takeover",
  ]);
  assert.deepEqual(v4GraceReasons(before, before), ["every known v4 client is back; some still reclaim"]);
});
