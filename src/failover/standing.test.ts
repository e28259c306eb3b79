import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { matchesGolden } from "../../tests/golden.ts";
import { known, unknown, type Observed } from "../base/observed.ts";
import {
  concludeLun,
  concludeNode,
  ruleAddress,
  type Conclusion,
  type LunSight,
  type StandingRules,
} from "./standing.ts";

const RULES: StandingRules = { ownKey: "0x1", clusterKeys: ["0x1", "0x2", "0x3"], silenceAfterMs: 1_000 };

const LISTS: Readonly<Record<string, Observed<readonly string[]>>> = {
  own: known(["0x1"]),
  "own and another's": known(["0x1", "0x2"]),
  "another's": known(["0x2"]),
  none: known([]),
  "a stranger's": known(["0x99"]),
  "a stranger's and another's": known(["0x99", "0x2"]),
  "no answer": unknown("timed out"),
  "no answer for long": unknown("timed out"),
};

/** registered + in use, registered + idle, unregistered + in use, unregistered + idle. */
const TABLE: readonly (readonly [string, Conclusion, Conclusion, Conclusion, Conclusion])[] = [
  ["own", "good", "good", "register", "register"],
  ["own and another's", "good", "good", "register", "register"],
  ["another's", "fenced", "fenced", "barred", "register"],
  ["none", "fenced", "fenced", "barred", "register"],
  ["a stranger's", "fenced", "fenced", "barred", "barred"],
  ["a stranger's and another's", "fenced", "fenced", "barred", "register"],
  ["no answer", "wait", "wait", "wait", "wait"],
  ["no answer for long", "silence", "wait", "wait", "wait"],
];

function sight(keys: string, registered: boolean, inUse: boolean): LunSight {
  const unverifiedMs = keys === "no answer for long" ? 1_000 : 999;
  return { lun: "naa.1", keys: LISTS[keys] ?? unknown(""), registered, inUse, unverifiedMs };
}

describe("what is concluded of one LUN", () => {
  for (const [keys, ...conclusions] of TABLE) {
    test(keys, () => {
      const found = [true, false].flatMap((registered) =>
        [true, false].map((inUse) => concludeLun(sight(keys, registered, inUse), RULES).conclusion),
      );
      assert.deepEqual(found, conclusions);
    });
  }

  test("every list stands in the table, and everything says why", () => {
    assert.deepEqual(TABLE.map(([keys]) => keys).sort(), Object.keys(LISTS).sort());
    for (const keys of Object.keys(LISTS)) assert.ok(concludeLun(sight(keys, true, true), RULES).because !== "");
  });

  test("whatever is seen: what is in use is never registered anew but over this node's own key", () => {
    const keys = fc.subarray(["0x1", "0x2", "0x3", "0x99"]);
    fc.assert(
      fc.property(keys, fc.boolean(), fc.nat(5_000), (found, registered, unverifiedMs) => {
        const seen = { lun: "a", keys: known(found), registered, inUse: true, unverifiedMs };
        const { conclusion } = concludeLun(seen, RULES);
        if (!found.includes("0x1")) assert.ok(conclusion === "fenced" || conclusion === "barred", conclusion);
        assert.equal(conclusion === "fenced", registered && !found.includes("0x1"));
      }),
      { seed: 1 },
    );
  });
});

test("the page in docs/ shows this table", () => {
  const rows = TABLE.map(([keys, ...conclusions]) => `| ${[keys, ...conclusions].join(" | ")} |`);
  const page = [
    "# What a node concludes from its registration",
    "",
    "Made from the decisions of `src/failover/standing.ts` by their test; refresh it with `UPDATE_GOLDEN=1 ./test --unit`, do not edit it. What the words mean, and what follows, stands in [fencing.md](fencing.md#what-a-node-concludes).",
    "",
    "| keys on the LUN | registered in this boot, in use | registered in this boot, not in use | not registered, in use | not registered, not in use |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
  ].join("\n");
  matchesGolden("standing.md", page, { folder: new URL("../../docs", import.meta.url).pathname });
});

describe("what is concluded of the node", () => {
  const good = { ...sight("own", true, true), lun: "a" };

  test("good only where every LUN is, and where there is one", () => {
    assert.equal(concludeNode([good, { ...good, lun: "b" }], RULES).good, true);
    assert.equal(concludeNode([good, { ...sight("no answer", true, true), lun: "b" }], RULES).good, false);
    assert.equal(concludeNode([], RULES).good, false);
  });

  test("fenced on one LUN is fenced, and then nothing is registered any more", () => {
    const standing = concludeNode(
      [good, { ...sight("none", false, false), lun: "b" }, { ...sight("another's", true, false), lun: "c" }],
      RULES,
    );
    assert.equal(standing.fenced, "c: this node's key is gone, and others stand");
    assert.deepEqual(standing.register, []);
  });

  test("what is to be registered and what is to be silent, by name", () => {
    const standing = concludeNode(
      [
        { ...sight("none", false, false), lun: "a" },
        { ...sight("no answer for long", true, true), lun: "b" },
        { ...sight("own", false, true), lun: "c" },
      ],
      RULES,
    );
    assert.deepEqual([standing.register, standing.silence, standing.fenced], [[], ["b"], undefined]);
  });

  test("nothing is registered while a LUN that was registered before is not verified", () => {
    const fresh = { ...sight("another's", false, false), lun: "b" };
    assert.deepEqual(concludeNode([good, fresh], RULES).register, ["b"]);
    for (const list of ["no answer", "no answer for long", "none"])
      assert.deepEqual(concludeNode([{ ...sight(list, true, false), lun: "a" }, fresh], RULES).register, [], list);
  });
});

describe("the address of a fileserver", () => {
  const standing = (list: string): ReturnType<typeof concludeNode> =>
    concludeNode(
      [
        { ...sight("own", true, true), lun: "a" },
        { ...sight(list, true, true), lun: "b" },
      ],
      RULES,
    );

  test("is silent while one of its LUNs is, and comes back when all are verified", () => {
    const rows = [
      ["own", "keep", "resume"],
      ["no answer", "keep", "keep"],
      ["no answer for long", "silence", "keep"],
      ["another's", "silence", "keep"],
    ] as const;
    for (const [list, open, silenced] of rows) {
      assert.equal(ruleAddress(standing(list), ["a", "b"], false), open, list);
      assert.equal(ruleAddress(standing(list), ["a", "b"], true), silenced, list);
    }
  });

  test("another fileserver's LUN does not silence it; but on a fenced node nothing comes back", () => {
    assert.equal(ruleAddress(standing("no answer for long"), ["a"], false), "keep");
    assert.equal(ruleAddress(standing("no answer for long"), ["a"], true), "resume");
    assert.equal(ruleAddress(standing("another's"), ["a"], true), "keep");
  });

  test("a LUN that was not looked at is not verified", () => {
    assert.equal(ruleAddress(standing("own"), ["a", "b", "c"], true), "keep");
  });
});
