import assert from "node:assert/strict";
import { test } from "node:test";
import { matchesGolden } from "../../tests/golden.ts";
import { HOLD_GROUP, holdFilterText, OPEN_GROUP } from "./hold-filter.ts";

const UNLOCK = { port: 4001, program: 100_021, procedure: 4 };

test("the filter for nfsd's and lockd's ports", () => {
  matchesGolden("linux/hold-filter.nft", holdFilterText([2049, 4001], UNLOCK));
});

test("it takes effect in its group only, which is not the one that links are born in", () => {
  assert.notEqual(HOLD_GROUP, OPEN_GROUP);
  const text = holdFilterText([2049], UNLOCK);
  for (const jump of [`iifgroup ${HOLD_GROUP} jump held_in`, `oifgroup ${HOLD_GROUP} jump held_out`])
    assert.ok(text.includes(jump), jump);
  assert.equal(text.match(/policy accept/g)?.length, 2);
});
