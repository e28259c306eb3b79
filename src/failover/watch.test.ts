import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { known } from "../base/observed.ts";
import { RECLAIM_QUIET_MS, type Inheritance } from "./grace.ts";
import type { Ledger, ServiceSight } from "./ledger.ts";
import { beginWatch, TELL_AGAIN_MS, watchLook, type WatchOutcome, type WatchStart, type WatchState } from "./watch.ts";

const C1 = { name: "c1", addresses: ["10.77.0.21"] };
const C2 = { name: "c2", addresses: ["10.77.0.22"] };
const LOCKD = 4001;
const GAP_MS = 2_000;
/** Without an answer of its storage a node silences its address: a second, and a look (agent/registration.ts). */
const SILENT_AFTER_MS = 1_250;
const NOTHING: ServiceSight = { connections: [], monitored: [], unnotified: [], v4Clients: [], v3Locks: [] };
const LOCKD_CONNECTION = {
  localAddress: "10.77.0.50",
  localPort: LOCKD,
  remoteAddress: "10.77.0.21",
  remotePort: 700,
};

function ledgerOf(final: boolean, ...keys: readonly string[]): Ledger {
  const v3Locks = keys.map((key) => ({ key, steady: true }));
  const v3Clients = [{ ...C1, sinceMs: 1 }];
  return { node: "n2", writtenAtMs: 1, final, connections: [], v3Clients, v4Clients: [], v3Locks };
}

/** Goes on with the state that follows, as an agent does whose deeds succeed. */
function watching(inherited: Inheritance, v3GraceLasts = true, keptOut = false) {
  const start: WatchStart = {
    node: "n1",
    inherited,
    v3GraceLasts,
    written: inherited.ledger.known ? inherited.ledger.value : undefined,
    limitMs: 20_000,
    lockdPort: LOCKD,
    gapMs: GAP_MS,
    keptOut,
    startedMs: 0,
  };
  let state: WatchState = beginWatch(start);
  return (atMs: number, look: Partial<ServiceSight>, v4GraceLasts = false, reachable = true): WatchOutcome => {
    const outcome = watchLook(
      start,
      state,
      { ...NOTHING, ...look },
      { monotonicMs: atMs, wallMs: 9000 + atMs, v4GraceLasts, reachable },
    );
    ({ state } = outcome);
    return outcome;
  };
}

const RELEASED: Inheritance = { ledger: known(ledgerOf(true, "a", "b")), monitored: known([C1]) };
const CRASHED: Inheritance = { ledger: known(ledgerOf(false, "a")), monitored: known([C1]) };

describe("the watch of a service", () => {
  test("after a release: waits, keeps in the ledger what is to come back, and ends the grace with the last lock", () => {
    const look = watching(RELEASED);
    const first = look(100, { unnotified: [C1] }, true);
    assert.equal(first.endV3Grace, undefined);
    assert.deepEqual(first.grace.v3, {
      lasts: true,
      because: ["waiting for c1: has not answered its notification", "0 of 2 v3 locks reclaimed"],
      endsWithinS: 20,
    });
    assert.deepEqual(
      first.ledger.v3Locks.map((lock) => lock.key),
      ["a", "b"],
    );
    const second = look(200, { connections: [LOCKD_CONNECTION], v3Locks: ["a"] }, true);
    assert.deepEqual([second.newlyNotified, second.endV3Grace], [["c1"], undefined]);
    const third = look(300, { connections: [LOCKD_CONNECTION], v3Locks: ["a", "b"] });
    assert.deepEqual(third.endV3Grace, { because: ["all 2 v3 locks are back"], stopNotifier: false, atLimit: false });
    assert.deepEqual([third.grace.v3.lasts, third.grace.v4.lasts], [false, false]);
    assert.equal(look(400, { v3Locks: ["a", "b"] }).endV3Grace, undefined, "ended once");
  });

  test("after a crash: every client back, every lock back, and a while of quiet", () => {
    const look = watching(CRASHED);
    const back = { connections: [LOCKD_CONNECTION], v3Locks: ["a"] };
    assert.equal(look(100, back).endV3Grace, undefined);
    assert.equal(look(100 + RECLAIM_QUIET_MS - 1, back).endV3Grace, undefined);
    const more = { ...back, v3Locks: ["a", "c"] };
    assert.equal(look(100 + RECLAIM_QUIET_MS, more).endV3Grace, undefined, "one more came: not quiet");
    assert.notEqual(look(100 + 2 * RECLAIM_QUIET_MS, more).endV3Grace, undefined);
  });

  describe("a quiet that has other reasons is none, for the rest of the grace", () => {
    const back = { connections: [LOCKD_CONNECTION], v3Locks: ["a"] };
    const quietFrom = (look: ReturnType<typeof watching>, fromMs: number): readonly WatchOutcome["endV3Grace"][] =>
      Array.from({ length: 40 }, (_, at) => look(fromMs + at * 100, back).endV3Grace);

    test("the address was closed", () => {
      const look = watching(CRASHED);
      look(100, back);
      assert.equal(look(200, back, false, false).endV3Grace, undefined);
      assert.ok(quietFrom(look, 300).every((one) => one === undefined));
      const { grace } = look(5_000, back);
      assert.deepEqual(grace.v3.because, [
        "clients were kept away for a while: that nobody asks says nothing any more",
      ]);
      assert.match(look(20_000, back).endV3Grace?.because[0] ?? "", /limit/);
    });

    test("the storage stalled, and the node noticed it only then", () => {
      const look = watching(CRASHED);
      for (let atMs = 0; atMs <= SILENT_AFTER_MS; atMs += 50) assert.equal(look(atMs, back).endV3Grace, undefined);
      look(SILENT_AFTER_MS + 50, back, false, false);
      assert.ok(quietFrom(look, SILENT_AFTER_MS + 100).every((one) => one === undefined));
    });

    test("nobody looked for so long: the node, or its storage, stood still", () => {
      const look = watching(CRASHED);
      look(100, back);
      assert.equal(look(100 + GAP_MS + 1, back).endV3Grace, undefined);
      assert.ok(quietFrom(look, GAP_MS + 200).every((one) => one === undefined));
      assert.equal(watching(CRASHED)(GAP_MS + 1, back).grace.v3.lasts, true, "before the first look, too");
    });

    test("the address was closed before this agent looked", () => {
      const look = watching(CRASHED, true, true);
      assert.ok(quietFrom(look, 100).every((one) => one === undefined));
    });

    test("looks that are rare for a while are no interruption", () => {
      const look = watching(CRASHED);
      const ends = [1, 2, 3].map((turn) => look(turn * GAP_MS, back).endV3Grace);
      assert.ok(ends.some((one) => one !== undefined));
    });

    test("all locks of a complete ledger end it all the same", () => {
      const look = watching(RELEASED);
      look(100, { connections: [LOCKD_CONNECTION], v3Locks: ["a"] }, false, false);
      assert.notEqual(look(200, { connections: [LOCKD_CONNECTION], v3Locks: ["a", "b"] }).endV3Grace, undefined);
    });

    test("what happened after the grace concerns nobody", () => {
      const outcome = watching(RELEASED, false)(9_000, back, false, false);
      assert.equal(outcome.state.interrupted, false);
    });
  });

  test("whoever has not answered when all is back is not notified any more; at the limit it still is", () => {
    const all = { unnotified: [C1], v3Locks: ["a", "b"] };
    assert.equal(watching(RELEASED)(100, all).endV3Grace?.stopNotifier, true);
    assert.equal(watching(CRASHED)(20_000, all).endV3Grace?.stopNotifier, false);
  });

  test("who was written down as the takeover began stays in while he is awaited", () => {
    const written = ledgerOf(false);
    const start = { node: "n1", inherited: { ledger: known(undefined), monitored: known([C1]) }, written };
    const begin: WatchStart = {
      ...start,
      v3GraceLasts: true,
      limitMs: 20_000,
      lockdPort: LOCKD,
      gapMs: GAP_MS,
      keptOut: false,
      startedMs: 0,
    };
    const now = { monotonicMs: 100, wallMs: 100, v4GraceLasts: false, reachable: true };
    assert.deepEqual(watchLook(begin, beginWatch(begin), NOTHING, now).ledger.v3Clients, written.v3Clients);
  });

  describe("who comes back after the grace and was not notified", () => {
    const nfs = { ...LOCKD_CONNECTION, localPort: 2049 };
    const back = { unnotified: [C1], connections: [nfs] };

    test("is told at once, and once for each time that he comes", () => {
      const look = watching(CRASHED);
      const told = (atMs: number, seen: Partial<ServiceSight>): readonly string[] => look(atMs, seen).notifyAtOnce;
      assert.notEqual(look(20_000, { unnotified: [C1] }).endV3Grace, undefined, "the limit");
      assert.deepEqual(told(20_400, { unnotified: [C1] }), []);
      assert.deepEqual(told(20_800, back), ["c1"]);
      assert.deepEqual(told(21_200, back), [], "the notifier tries again by itself");
      assert.deepEqual(told(21_600, { unnotified: [C1] }), []);
      assert.deepEqual(told(22_000, back), ["c1"]);
      assert.deepEqual(told(22_400, { connections: [nfs] }), []);
    });

    test("is told by the look that ends the grace at its limit; where all is back nobody is told", () => {
      assert.deepEqual(watching(CRASHED)(20_000, back).notifyAtOnce, ["c1"]);
      assert.deepEqual(watching(RELEASED)(100, { ...back, v3Locks: ["a", "b"] }).notifyAtOnce, []);
    });

    test("is not told where no grace ran to its limit: what it holds is new", () => {
      assert.deepEqual(watching(RELEASED, false)(100, back).notifyAtOnce, []);
      assert.deepEqual(watching(RELEASED, false)(30_000, back).notifyAtOnce, []);
    });

    test("is told again for as long as he seems to be connected: the connection may be older than his absence", () => {
      const look = watching(CRASHED);
      const told = (atMs: number): readonly string[] => look(atMs, back).notifyAtOnce;
      assert.deepEqual(told(20_000), ["c1"]);
      assert.deepEqual(told(20_000 + TELL_AGAIN_MS - 1), []);
      assert.deepEqual(told(20_000 + TELL_AGAIN_MS), ["c1"]);
      assert.deepEqual(told(20_000 + TELL_AGAIN_MS + 400), []);
      assert.deepEqual(told(20 * 60_000), [], "not for ever");
    });

    test("is told by an agent that was started anew after the grace, and where he was late before the takeover", () => {
      for (const deferred of [false, true]) {
        const entry = { ...ledgerOf(false), late: [{ ...C1, deferred }] };
        const look = watching({ ledger: known(entry), monitored: known([C1]) }, false);
        const first = look(100, deferred ? { connections: [nfs] } : back);
        assert.deepEqual([first.notifyAtOnce, first.listLate], [["c1"], deferred ? [C1] : []]);
        assert.deepEqual(first.ledger.late, [{ ...C1, deferred: false }]);
        assert.deepEqual(look(500, { connections: [nfs] }).ledger.late, undefined, "he has been told");
      }
    });

    test("is named by the entry that is on the volume before the grace is ended without him", () => {
      const { endV3Grace, ledger, writeLedger } = watching(CRASHED)(20_000, { unnotified: [C1] });
      assert.deepEqual([endV3Grace?.atLimit, writeLedger], [true, true]);
      assert.deepEqual(ledger.late, [{ ...C1, deferred: false }]);
    });

    test("is not told while the grace after a move lasts, nor waited for", () => {
      const entry = { ...ledgerOf(true, "a"), late: [{ ...C2, deferred: true }] };
      const look = watching({ ledger: known(entry), monitored: known([C1, C2]) });
      const connections = [LOCKD_CONNECTION, { ...LOCKD_CONNECTION, remoteAddress: "10.77.0.22" }];
      const during = look(100, { connections }, true);
      assert.deepEqual([during.listLate, during.notifyAtOnce, during.newlyNotified], [[], [], ["c1"]]);
      assert.deepEqual(during.ledger.late, entry.late);
      const end = look(200, { connections, v3Locks: ["a"] }, true);
      assert.equal(end.endV3Grace?.atLimit, false);
      assert.deepEqual([end.listLate, end.notifyAtOnce], [[], []], "nfsd's lasts: lockd would grant him a reclaim");
      const over = look(300, { connections, v3Locks: ["a"] });
      assert.deepEqual([over.listLate, over.notifyAtOnce], [[C2], ["c2"]]);
    });

    test("is left to the notifier that has only just begun while the grace lasts, and told again after a while", () => {
      const look = watching(CRASHED);
      const told = (atMs: number): readonly string[] => look(atMs, back).notifyAtOnce;
      assert.deepEqual([told(100), told(TELL_AGAIN_MS - 100)], [[], []]);
      assert.deepEqual(told(TELL_AGAIN_MS), ["c1"], "the notifier's own attempts become rarer than that");
      assert.deepEqual(told(20_000), ["c1"], "and by the look that ends it");
    });

    test("is told at once while the grace lasts: it may be about to end", () => {
      const look = watching(CRASHED);
      assert.deepEqual(look(19_000, { unnotified: [C1] }).notifyAtOnce, []);
      assert.deepEqual(look(19_100, back).notifyAtOnce, ["c1"]);
    });
  });

  test("a grace that was ended before the opening is not ended again", () => {
    const outcome = watching(RELEASED, false)(100, { unnotified: [C1] });
    assert.deepEqual([outcome.endV3Grace, outcome.grace.v3], [undefined, { lasts: false, because: [] }]);
  });

  test("writes what changed, and only that; a lock is written when it was seen twice", () => {
    const look = watching({ ledger: known(undefined), monitored: known([]) }, false);
    assert.equal(look(0, {}).writeLedger, true, "the first entry");
    assert.equal(look(400, {}).writeLedger, false);
    assert.equal(look(800, { v3Locks: ["x"] }).writeLedger, false, "it may be gone in a moment");
    const steady = look(1200, { v3Locks: ["x"] });
    assert.deepEqual([steady.writeLedger, steady.ledger.v3Locks], [true, [{ key: "x", steady: true }]]);
    assert.equal(look(1600, { v3Locks: ["x"] }).writeLedger, false);
    assert.equal(look(2000, { v3Locks: ["x"], monitored: [C1] }).writeLedger, true);
    assert.equal(look(2400, {}).writeLedger, true);
  });

  test("a look that has just begun keeps the locks that the look before it had for steady", () => {
    const first = watching(CRASHED, false)(0, { v3Locks: ["a", "b"] });
    assert.deepEqual(first.ledger.v3Locks, [{ key: "a", steady: true }]);
  });

  test("before its first look it knows of no lock that it is passing", () => {
    const start = {
      node: "n1",
      inherited: CRASHED,
      written: undefined,
      v3GraceLasts: false,
      limitMs: 1,
      lockdPort: LOCKD,
    };
    assert.equal(beginWatch({ ...start, gapMs: GAP_MS, keptOut: false, startedMs: 0 }).lockMemory.last, undefined);
  });

  test("a second crash during the grace finds everything that the first one left", () => {
    const first = watching(CRASHED)(100, { unnotified: [C1] }, true);
    const inherited: Inheritance = { ledger: known(first.ledger), monitored: known([C1]) };
    const second = watching(inherited)(100, { connections: [LOCKD_CONNECTION] });
    assert.equal(second.endV3Grace, undefined);
    assert.deepEqual(second.grace.v3.because, ["0 of 1 v3 lock reclaimed"]);
  });
});
