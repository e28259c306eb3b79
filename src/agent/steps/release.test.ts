/** What a release's steps do on a machine that has nothing of the fileserver; the rest is tested in the lab. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeNode } from "../../../tests/fake-node.ts";
import { SAMPLE_SPEC } from "../../../tests/sample-spec.ts";
import { known } from "../../base/observed.ts";
import { loadSpec } from "../../model/load.ts";
import type { FileserverName } from "../../model/names.ts";
import type { FileserverSpec } from "../../model/spec.ts";
import { NOTHING_WATCHED, type StepContext } from "../context.ts";
import { releaseSteps } from "./release.ts";

const ABSENT: FileserverSpec = {
  ...(loadSpec(SAMPLE_SPEC, "sample").fileservers[0] as FileserverSpec),
  name: "not-on-this-machine" as FileserverName,
};

function contextWith(endWatch: StepContext["endWatch"]): StepContext {
  return {
    node: fakeNode({ engine: "pacemaker" }),
    holder: () => assert.fail("no step of these tests needs a holder"),
    insidePid: () => process.pid,
    volumeFacts: new Map(),
    systemId: "n1",
    handedOver: false,
    addressesProbed: false,
    found: { ledger: known(undefined) },
    endWatch,
  };
}

test("the watch goes on while clients are served, and ends as requests are held", async () => {
  let ends = 0;
  const context = contextWith(() => {
    ends += 1;
    return Promise.resolve(NOTHING_WATCHED);
  });
  await releaseSteps["sync-volumes"]({ fileserver: ABSENT }, context, 1_000);
  assert.equal(ends, 0);
  await releaseSteps["hold-requests"]({ fileserver: ABSENT }, context, 1_000);
  assert.equal(ends, 1);
  await releaseSteps["record-clients"]({ fileserver: ABSENT }, context, 1_000);
  assert.equal(ends, 2, "a link that was down already is no reason to leave it running");
});
