import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { NOTHING_SEEN, remember, UNWATCHED, type LockMemory } from "./lock-memory.ts";
import { nextLedger, reopenedLedger, sameContent, type Ledger, type LedgerInput, type ServiceSight } from "./ledger.ts";

const NOTHING: ServiceSight = { connections: [], monitored: [], unnotified: [], v4Clients: [], v3Locks: [] };
const C1 = { name: "c1", addresses: ["10.77.0.21"] };
const C2 = { name: "c2", addresses: ["10.77.0.22"] };

function saw(...keys: readonly string[]): LockMemory {
  return remember(NOTHING_SEEN, keys, { nowMs: 0, awaiting: false });
}

function connection(remoteAddress: string, remotePort = 700) {
  return { localAddress: "10.77.0.50", localPort: 2049, remoteAddress, remotePort };
}

function v4(owner: string, minorVersion = 2) {
  return { owner, minorVersion, address: "10.77.0.21", courtesy: false };
}

function entry(change: Partial<Omit<LedgerInput, "sight">> & { readonly sight?: Partial<ServiceSight> }): Ledger {
  return nextLedger({
    node: "n1",
    nowMs: 5000,
    lockMemory: NOTHING_SEEN,
    previous: undefined,
    waiting: { v3: false, v4: false },
    final: false,
    ...change,
    sight: { ...NOTHING, ...change.sight },
  });
}

const BEFORE: Ledger = {
  node: "n2",
  writtenAtMs: 1000,
  final: true,
  connections: [connection("10.77.0.21"), connection("10.77.0.22")],
  v3Clients: [
    { ...C1, sinceMs: 100 },
    { ...C2, sinceMs: 200 },
  ],
  v4Clients: [{ ...v4("a"), sinceMs: 300 }],
  v3Locks: [
    { key: "data:1:0-0", steady: true },
    { key: "data:1:2-2", steady: true },
  ],
};

describe("a ledger's entry", () => {
  describe("names who lost something at a limit and has not been told", () => {
    const late = (deferred: boolean) => [{ ...C1, deferred }];

    test("until he has been told, whoever writes it", () => {
      const previous = { ...BEFORE, late: late(false) };
      const waiting = { v3: false, v4: false };
      assert.deepEqual(entry({ previous, waiting, sight: { unnotified: [C1] }, final: true }).late, late(false));
      assert.equal(entry({ previous, waiting, final: true }).late, undefined);
      assert.deepEqual(entry({ previous: { ...BEFORE, late: late(true) }, waiting }).late, late(true));
      assert.deepEqual(entry({ previous, late: late(true) }).late, late(true), "a watch knows better");
    });

    test("and at a takeover no more among those who have something to come back for", () => {
      const found = { ...BEFORE, late: late(false) };
      const reopened = reopenedLedger({ node: "n1", nowMs: 6000, found, retired: [C1, C2] });
      assert.deepEqual([reopened?.late, reopened?.v3Clients.map(({ name }) => name)], [late(true), ["c2"]]);
      assert.equal(reopenedLedger({ node: "n1", nowMs: 7000, found: reopened, retired: [C2] }), reopened);
      const awaiting = entry({ previous: reopened, waiting: { v3: true, v4: false } });
      assert.deepEqual(
        awaiting.v3Clients.map(({ name }) => name),
        ["c2"],
      );
    });
  });

  test("lists locks that were there twice running; a release's last entry lists all", () => {
    const looked = { sight: { v3Locks: ["b", "a"] }, lockMemory: saw("a") };
    assert.deepEqual(entry(looked).v3Locks, [{ key: "a", steady: true }]);
    assert.deepEqual(entry({ ...looked, final: true }).v3Locks, [
      { key: "a", steady: true },
      { key: "b", steady: false },
    ]);
  });

  test("without a look before, no lock is known to be passing", () => {
    const unwatched = { sight: { v3Locks: ["a"] }, lockMemory: UNWATCHED };
    assert.deepEqual(entry({ ...unwatched, final: true }).v3Locks, [{ key: "a", steady: true }]);
    assert.deepEqual(entry(unwatched).v3Locks, [{ key: "a", steady: true }]);
  });

  test("what the entry before had for steady stays so when it is seen again for the first time", () => {
    const reclaimed = { previous: BEFORE, sight: { v3Locks: ["data:1:0-0"] }, waiting: { v3: true, v4: true } };
    assert.deepEqual(entry(reclaimed).v3Locks, BEFORE.v3Locks);
  });

  test("is not the last word while locks are awaited, whoever writes it", () => {
    const look = { previous: BEFORE, sight: { v3Locks: ["data:9:0-0"] }, final: true };
    const awaiting = entry({ ...look, waiting: { v3: true, v4: false } });
    assert.equal(awaiting.final, false);
    assert.deepEqual(
      awaiting.v3Locks.map(({ key }) => key),
      ["data:1:0-0", "data:1:2-2", "data:9:0-0"],
    );
    assert.equal(entry({ ...look, waiting: { v3: false, v4: true } }).final, true);
  });

  test("keeps since when a client is known, over nodes", () => {
    const next = entry({ previous: BEFORE, sight: { monitored: [C1], v4Clients: [v4("a"), v4("a", 1)] } });
    assert.deepEqual(next.v3Clients, [{ ...C1, sinceMs: 100 }]);
    assert.deepEqual(
      next.v4Clients.map((one) => [one.minorVersion, one.sinceMs]),
      [
        [1, 5000],
        [2, 300],
      ],
    );
  });

  test("while a grace lasts keeps all that has not come back, for the case of another crash", () => {
    const next = entry({
      previous: BEFORE,
      waiting: { v3: true, v4: true },
      sight: { connections: [connection("10.77.0.21", 800)], v3Locks: ["data:1:0-0"], unnotified: [C2] },
      lockMemory: saw("data:1:0-0"),
    });
    assert.deepEqual(
      next.connections.map((one) => [one.remoteAddress, one.remotePort]),
      [
        ["10.77.0.21", 800],
        ["10.77.0.22", 700],
      ],
    );
    assert.deepEqual(next.v3Clients, BEFORE.v3Clients);
    assert.deepEqual(next.v4Clients, BEFORE.v4Clients);
    assert.deepEqual(next.v3Locks, BEFORE.v3Locks);
  });

  test("once the graces are over only counts who is there", () => {
    const next = entry({ previous: BEFORE });
    assert.deepEqual([next.connections, next.v3Clients, next.v4Clients, next.v3Locks], [[], [], [], []]);
  });

  test("says the same whenever it is written, and in whatever order the kernel lists things", () => {
    const sight = { connections: [connection("b"), connection("a")], monitored: [C2, C1], v3Locks: ["y", "x"] };
    const turned = { connections: [connection("a"), connection("b")], monitored: [C1, C2], v3Locks: ["x", "y"] };
    const lockMemory = saw("x", "y");
    const previous = BEFORE;
    const later = { previous, lockMemory, nowMs: 9000 };
    assert.ok(sameContent(entry({ previous, lockMemory, sight }), entry({ ...later, sight: turned })));
    assert.ok(
      !sameContent(entry({ previous, lockMemory, sight }), entry({ ...later, sight: { ...turned, v3Locks: ["x"] } })),
    );
  });
});

describe("the entry of a takeover", () => {
  const input = { node: "n1", nowMs: 5000 };

  test("names who is known to statd only, before he is notified", () => {
    const found: Ledger = { ...BEFORE, final: false, v3Clients: [{ ...C2, sinceMs: 200 }] };
    assert.deepEqual(reopenedLedger({ ...input, found, retired: [C2, C1] }), {
      ...found,
      writtenAtMs: 5000,
      v3Clients: [
        { ...C1, sinceMs: 5000 },
        { ...C2, sinceMs: 200 },
      ],
    });
    const first = reopenedLedger({ ...input, found: undefined, retired: [C1] });
    assert.deepEqual([first?.node, first?.final, first?.v3Clients], ["n1", false, [{ ...C1, sinceMs: 5000 }]]);
  });

  test("is not the last word, whatever the release's was", () => {
    const reopened = reopenedLedger({ ...input, found: BEFORE, retired: [C1] });
    assert.deepEqual(reopened, { ...BEFORE, writtenAtMs: 5000, final: false });
  });

  test("is the entry that was found where it says so already", () => {
    const found = { ...BEFORE, final: false };
    assert.equal(reopenedLedger({ ...input, found, retired: [C1] }), found);
    assert.equal(reopenedLedger({ ...input, found: undefined, retired: [] }), undefined);
  });
});
