import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  checkClientMatch,
  checkExportOption,
  completeOptions,
  optionConflicts,
  parseClientMatch,
} from "./export-clients.ts";

describe("clients", () => {
  test("every form of exports(5) is known", () => {
    const forms: readonly (readonly [string, string])[] = [
      ["10.77.0.21", "address"],
      ["fd77::21", "address"],
      ["10.77.0.0/24", "network"],
      ["fd77::/64", "network"],
      ["c1", "host"],
      ["c1.lab.example", "host"],
      ["*.lab.example", "domain"],
      ["@trusted", "netgroup"],
      ["*", "anyone"],
    ];
    for (const [text, kind] of forms) {
      assert.equal(parseClientMatch(text)?.kind, kind, text);
      assert.equal(checkClientMatch(text), undefined, text);
    }
  });

  test("what cannot be right is refused with what to write", () => {
    const bad: readonly (readonly [string, RegExp])[] = [
      ["10.77.0.0/255.255.255.0", /prefix length/],
      ["10.77.0.5/24", /10\.77\.0\.0\/24 .*or 10\.77\.0\.5/],
      ["0.0.0.0/0", /"\*"/],
      ["10.77.0.0/24(rw)", /\/etc\/exports/],
      ["10.77.0.0/24 *", /\/etc\/exports/],
      ["c?.lab.example", /\/etc\/exports/],
      ["*lab.example", /\/etc\/exports/],
      ["@", /netgroup/],
      ["-x", /\/etc\/exports/],
      ["", /\/etc\/exports/],
      ["gss/krb5", /\/etc\/exports/],
    ];
    for (const [text, says] of bad) {
      const problem = checkClientMatch(text);
      assert.equal(problem?.code, "bad-client", text);
      assert.match(`${problem.why} ${problem.remedy}`, says, text);
    }
  });
});

describe("options", () => {
  test("what exports(5) has and Holdfast carries is taken", () => {
    const good = [
      "rw",
      "ro",
      "sync",
      "root_squash",
      "no_root_squash",
      "all_squash",
      "anonuid=65534",
      "anongid=0",
      "insecure",
      "no_wdelay",
      "sec=sys",
    ];
    for (const option of good) assert.equal(checkExportOption(option), undefined, option);
  });

  test("what would lose writes, bypass fencing or Holdfast, or is not there yet is refused", () => {
    const refused: readonly (readonly [string, string])[] = [
      ["async", "option-unsafe"],
      ["subtree_check", "option-unsafe"],
      ["pnfs", "option-unsafe"],
      ["fsid=0", "option-taken"],
      ["crossmnt", "option-taken"],
      ["nohide", "option-taken"],
      ["mp=/x", "option-taken"],
      ["refer=/x@y", "option-taken"],
      ["sec=krb5p", "option-not-yet"],
      ["sec=krb5:sys", "option-not-yet"],
      ["xprtsec=mtls", "option-not-yet"],
      ["sec=none", "bad-option"],
      ["rw,no_root_squash", "bad-option"],
      ["rw)", "bad-option"],
      ["rw=1", "bad-option"],
      ["anonuid=-2", "bad-option"],
      ["anonuid=4294967295", "bad-option"],
      ["anonuid", "bad-option"],
      ["constructor", "bad-option"],
      ["", "bad-option"],
    ];
    for (const [option, code] of refused) assert.equal(checkExportOption(option)?.code, code, option);
    assert.match(checkExportOption("no_root_squahs")?.remedy ?? "", /no_root_squash\?/);
  });

  test("contradictions and repetitions are found", () => {
    const pairs = (options: readonly string[]) =>
      optionConflicts(options).map((conflict) => `${options[conflict.index]} with ${options[conflict.with]}`);
    assert.deepEqual(pairs(["rw", "ro"]), ["ro with rw"]);
    assert.deepEqual(pairs(["no_root_squash", "rw", "root_squash"]), ["root_squash with no_root_squash"]);
    assert.deepEqual(pairs(["anonuid=1", "anonuid=2"]), ["anonuid=2 with anonuid=1"]);
    assert.deepEqual(pairs(["no_root_squash", "all_squash"]), ["all_squash with no_root_squash"]);
    assert.deepEqual(pairs(["rw", "sync", "all_squash", "root_squash", "insecure"]), []);
    assert.deepEqual(optionConflicts(["rw", "rw"]), [{ index: 1, with: 0, repeated: true }]);
  });

  test("the complete list says everything, once, in a fixed order", () => {
    assert.deepEqual(completeOptions([]), ["ro", "sync", "root_squash", "no_subtree_check", "sec=sys"]);
    assert.deepEqual(completeOptions(["insecure", "no_root_squash", "anonuid=5", "rw"]), [
      "rw",
      "sync",
      "no_root_squash",
      "anonuid=5",
      "insecure",
      "no_subtree_check",
      "sec=sys",
    ]);
    const option = fc.constantFrom(
      "rw",
      "sync",
      "root_squash",
      "all_squash",
      "insecure",
      "anonuid=1",
      "sec=sys",
      "no_wdelay",
    );
    fc.assert(
      fc.property(fc.uniqueArray(option), (options) => {
        const complete = completeOptions(options);
        assert.equal(new Set(complete).size, complete.length);
        assert.deepEqual(completeOptions(complete), complete);
        for (const each of options) assert.ok(complete.includes(each));
        assert.deepEqual(optionConflicts(complete), []);
      }),
    );
  });
});
