import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { deferLate, lateAfterLook, withoutLate, type LateClient, type LateLook } from "./late.ts";
import type { MonitoredClient } from "./ledger.ts";

const C1: MonitoredClient = { name: "c1", addresses: ["10.77.0.21"] };
const C2: MonitoredClient = { name: "c2", addresses: ["10.77.0.22"] };
const DEFERRED: LateClient = { ...C1, deferred: true };
const LISTED: LateClient = { ...C1, deferred: false };

interface Case {
  readonly name: string;
  readonly look: Partial<LateLook>;
  readonly late: readonly LateClient[];
  readonly list?: readonly MonitoredClient[];
}

const CASES: readonly Case[] = [
  { name: "nobody, where a grace ends with everybody", look: { unnotified: [C1], listDropped: true }, late: [] },
  { name: "nobody yet, while the grace lasts", look: { unnotified: [C1], graceLasts: true }, late: [] },
  { name: "whoever is not told at its limit", look: { unnotified: [C1], endsAtLimit: true }, late: [LISTED] },
  { name: "until he is told", look: { before: [LISTED], unnotified: [C1] }, late: [LISTED] },
  { name: "and no longer", look: { before: [LISTED] }, late: [] },
  { name: "nobody else who waits there", look: { before: [LISTED], unnotified: [C1, C2] }, late: [LISTED] },
  {
    name: "who was late at the takeover, for as long as the grace lasts",
    look: { before: [DEFERRED], graceLasts: true },
    late: [DEFERRED],
  },
  {
    name: "and he is put back into the list by the look that ends it",
    look: { before: [DEFERRED], unnotified: [C2], endsAtLimit: true },
    late: [LISTED, { ...C2, deferred: false }],
    list: [C1],
  },
  {
    name: "whoever is not told at the limit of lockd's grace, though nfsd's lasts",
    look: { unnotified: [C1], endsAtLimit: true, graceLasts: true },
    late: [LISTED],
  },
  {
    name: "where lockd's grace ends before its limit and nfsd's lasts he is taken off the list with the others",
    look: { before: [LISTED], unnotified: [C1], listDropped: true, graceLasts: true },
    late: [DEFERRED],
  },
  {
    name: "also where the list is dropped with it",
    look: { before: [DEFERRED, { ...C2, deferred: false }], unnotified: [C2], listDropped: true },
    late: [LISTED, { ...C2, deferred: false }],
    list: [C1, C2],
  },
];

function look(change: Partial<LateLook>): LateLook {
  return { before: [], unnotified: [], graceLasts: false, endsAtLimit: false, listDropped: false, ...change };
}

describe("clients that have lost something and do not know it", () => {
  for (const { name, look: change, late, list = [] } of CASES)
    test(name, () => assert.deepEqual(lateAfterLook(look(change)), { late, list }));

  test("at a takeover all of them wait for its grace, and nobody waits for them", () => {
    assert.deepEqual(deferLate([LISTED, DEFERRED]), [DEFERRED, DEFERRED]);
    assert.deepEqual(deferLate(undefined), []);
    assert.deepEqual(withoutLate([C1, C2], [LISTED]), [C2]);
    assert.deepEqual(withoutLate([C1, C2], undefined), [C1, C2]);
  });

  const clients = fc.uniqueArray(
    fc.constantFrom("c1", "c2", "c3").map((name) => ({ name, addresses: [name] })),
    {
      selector: ({ name }) => name,
    },
  );
  const before = fc.tuple(clients, fc.boolean()).map(([all, deferred]) => all.map((one) => ({ ...one, deferred })));
  const looks = fc
    .tuple(before, clients, fc.constantFrom("lasts", "limit", "dropped", "over"))
    .map(([late, unnotified, how]) =>
      look({
        before: late,
        unnotified,
        graceLasts: how === "lasts",
        endsAtLimit: how === "limit",
        listDropped: how === "dropped",
      }),
    );

  test("nobody is listed while a grace lasts, and nobody is lost who has not been told", () => {
    fc.assert(
      fc.property(looks, (one) => {
        const { late, list } = lateAfterLook(one);
        if (one.graceLasts) assert.deepEqual(list, []);
        else assert.ok(late.every(({ deferred }) => !deferred));
        const names = late.map(({ name }) => name);
        const listed = one.unnotified.map(({ name }) => name);
        for (const { name, deferred } of one.before)
          assert.equal(names.includes(name), deferred || listed.includes(name), name);
        // Who is late after a grace stands in the list: the next look would take him for told.
        if (one.graceLasts) return;
        const stands = new Set([...(one.listDropped ? [] : listed), ...list.map(({ name }) => name)]);
        assert.ok(names.every((name) => stands.has(name)));
      }),
    );
  });
});
