import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { known, unknown } from "../base/observed.ts";
import { ruleLockdGrace, ruleReclaimed, type GraceFacts, type Handover } from "./grace.ts";

const released = (nlmLocksHeld: number): GraceFacts["handover"] => known<Handover | undefined>({ nlmLocksHeld });
const crashed: GraceFacts["handover"] = known(undefined);

interface Case {
  readonly name: string;
  readonly facts: GraceFacts;
  readonly end: boolean;
  readonly because: RegExp;
}

const CASES: readonly Case[] = [
  {
    name: "nobody was ever monitored",
    facts: { handover: released(0), monitoredClients: known(0) },
    end: true,
    because: /no v3 client was monitored/,
  },
  {
    name: "nobody was ever monitored, and the node crashed",
    facts: { handover: crashed, monitoredClients: known(0) },
    end: true,
    because: /no v3 client was monitored/,
  },
  {
    name: "clients were monitored, and the release saw no lock",
    facts: { handover: released(0), monitoredClients: known(3) },
    end: true,
    because: /saw no v3 lock/,
  },
  {
    name: "the release saw locks",
    facts: { handover: released(2), monitoredClients: known(1) },
    end: false,
    because: /2 v3 locks wait/,
  },
  {
    name: "clients were monitored, and the node crashed",
    facts: { handover: crashed, monitoredClients: known(3) },
    end: false,
    because: /3 v3 clients may hold locks/,
  },
  {
    name: "the release's record cannot be read",
    facts: { handover: unknown("EIO"), monitoredClients: known(1) },
    end: false,
    because: /record could not be read: EIO/,
  },
  {
    name: "statd's list cannot be read",
    facts: { handover: released(0), monitoredClients: unknown("EIO") },
    end: false,
    because: /list could not be read: EIO/,
  },
];

describe("lockd's grace", () => {
  for (const { name, facts, end, because } of CASES) {
    test(`${name}: ${end ? "ended" : "kept"}`, () => {
      const ruling = ruleLockdGrace(facts);
      assert.equal(ruling.end, end);
      assert.match(ruling.because, because);
    });
  }

  test("never ended while a lock may have to be reclaimed", () => {
    /** What is really so, and what of it could be seen. */
    const worlds = fc
      .record({
        monitored: fc.nat(3),
        locks: fc.nat(3),
        crashed: fc.boolean(),
        listReadable: fc.boolean(),
        recordReadable: fc.boolean(),
      })
      // lockd has a client monitored before it grants its first lock.
      .filter(({ monitored, locks }) => locks === 0 || monitored > 0);
    fc.assert(
      fc.property(worlds, (world) => {
        const { end } = ruleLockdGrace({
          handover: world.recordReadable ? (world.crashed ? crashed : released(world.locks)) : unknown("EIO"),
          monitoredClients: world.listReadable ? known(world.monitored) : unknown("EIO"),
        });
        if (world.locks > 0) assert.equal(end, false);
      }),
    );
  });
});

test("a grace that was kept ends when every lock that was held is held again, and on nothing less", () => {
  const full = { held: 3, reclaimed: known(3), unnotified: known(0) };
  assert.deepEqual(ruleReclaimed(full), { end: true, because: "all 3 v3 locks are reclaimed" });
  for (const facts of [
    { ...full, reclaimed: known(2) },
    { ...full, unnotified: known(1) },
    { ...full, reclaimed: unknown<number>("no such file") },
    { ...full, unnotified: unknown<number>("no such file") },
  ])
    assert.equal(ruleReclaimed(facts).end, false, JSON.stringify(facts));
});
