import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SAMPLE_SPEC, sampleWith } from "../../tests/sample-spec.ts";
import { Fault } from "../base/fault.ts";
import { loadSpec } from "../model/load.ts";
import type { Timeline } from "../wire/timeline.ts";
import { chooseTarget, joinTimelines, unknownName } from "./move.ts";

const TWO = loadSpec(SAMPLE_SPEC, "sample");
const LINE = "    - { name: n2, addresses: [10.77.0.12, 10.78.0.12] }\n";
const THREE = loadSpec(
  sampleWith([LINE, `${LINE}    - { name: n3, addresses: [10.77.0.13, 10.78.0.13] }\n`]),
  "sample",
);

function hasCode(code: string, kind: Fault["kind"]) {
  return (error: unknown): boolean => error instanceof Fault && error.code === code && error.kind === kind;
}

describe("where to", () => {
  test("the node that was named", () => {
    assert.equal(chooseTarget(TWO, "n2", "n1", undefined), "n2");
    assert.equal(chooseTarget(THREE, "n3", undefined, undefined), "n3");
  });

  test("unnamed: the only one that is left", () => {
    assert.equal(chooseTarget(TWO, undefined, "n1", undefined), "n2");
    assert.equal(chooseTarget(TWO, undefined, "n2", undefined), "n1");
    assert.equal(chooseTarget(TWO, undefined, undefined, "n1"), "n2");
    assert.equal(chooseTarget(THREE, undefined, "n1", "n2"), "n3");
  });

  test("unnamed where several could take it", () => {
    assert.throws(() => chooseTarget(TWO, undefined, undefined, undefined), hasCode("target-not-named", "invalid"));
    assert.throws(
      () => chooseTarget(THREE, undefined, "n1", undefined),
      (error) => error instanceof Fault && error.remedy === "name one of: n2, n3",
    );
  });

  test("not to where it is, to nobody, or to a node that is down", () => {
    assert.throws(() => chooseTarget(TWO, "n1", "n1", undefined), hasCode("already-serving", "refused"));
    assert.throws(() => chooseTarget(TWO, "n9", "n1", undefined), hasCode("unknown-node", "invalid"));
    assert.throws(() => chooseTarget(TWO, "n1", undefined, "n1"), hasCode("target-fenced", "invalid"));
    assert.throws(() => chooseTarget(TWO, "n2", undefined, "n9"), hasCode("unknown-node", "invalid"));
  });
});

describe("one timeline of two runs", () => {
  const released: Timeline = {
    id: "r",
    kind: "release",
    fileserver: "home",
    node: "n1",
    startedAtMs: 5000,
    outcome: "done",
    steps: [{ step: "sync-volumes", node: "n1", startMs: 0, endMs: 40, outcome: "done" }],
  };
  const taken: Timeline = {
    ...released,
    id: "t",
    kind: "takeover",
    node: "n2",
    // The nodes' clocks need not agree.
    startedAtMs: 1000,
    steps: [
      { step: "reserve-luns:data", node: "n2", startMs: 0, endMs: 10, outcome: "done" },
      { step: "notify-clients", node: "n2", startMs: 10, endMs: 12, outcome: "already", detail: "none" },
    ],
  };

  test("the takeover's steps follow the release's, on one zero", () => {
    assert.deepEqual(joinTimelines(released, taken, 45), {
      ...taken,
      kind: "move",
      startedAtMs: 5000,
      steps: [
        ...released.steps,
        { step: "reserve-luns:data", node: "n2", startMs: 45, endMs: 55, outcome: "done" },
        { step: "notify-clients", node: "n2", startMs: 55, endMs: 57, outcome: "already", detail: "none" },
      ],
    });
  });

  test("without a release the takeover's own start is the zero", () => {
    assert.deepEqual(joinTimelines(undefined, taken, 0), { ...taken, kind: "move" });
  });
});

test("an unknown name says which there are", () => {
  const fault = unknownName("fileserver", "hoem", ["home", "media"]);
  assert.deepEqual(
    [fault.kind, fault.code, fault.message, fault.remedy],
    ["invalid", "unknown-fileserver", 'there is no fileserver "hoem"', "use one of: home, media"],
  );
});
