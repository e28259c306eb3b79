import assert from "node:assert/strict";
import { test } from "node:test";
import { unknownNode } from "./observed.ts";

test("of an unknown node every part is unknown, each with the reason", () => {
  const why = "ssh: connection timed out";
  const nothing = { known: false, why };
  assert.deepEqual(unknownNode("n2", why), { node: "n2", agent: nothing, spec: nothing, fileservers: nothing });
});
