import assert from "node:assert/strict";
import { test } from "node:test";
import type { GraceStatus } from "../wire/clients.ts";
import { graceLines, lastingGraceLines } from "./grace-lines.ts";

const GRACE: GraceStatus = {
  v4: { lasts: false, because: ["all 2 known clients have reclaimed"] },
  v3: { lasts: true, because: ["waiting for c2: notified 3 s ago, has not reconnected"], endsWithinS: 11.2 },
};

test("a grace that lasts says for how long at most, and for whom", () => {
  assert.deepEqual(lastingGraceLines(GRACE), [
    "grace for NFSv3 locks: lasts, for at most 12 s more",
    "  waiting for c2: notified 3 s ago, has not reconnected",
  ]);
  assert.deepEqual(lastingGraceLines({ v4: GRACE.v4, v3: GRACE.v4 }), []);
});

test("one without a bound promises none; one that is over says why", () => {
  assert.deepEqual(graceLines({ v4: GRACE.v4, v3: { lasts: true, because: [] } }), [
    "grace for NFSv4: over",
    "  all 2 known clients have reclaimed",
    "grace for NFSv3 locks: lasts",
  ]);
});
