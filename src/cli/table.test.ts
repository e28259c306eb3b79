import assert from "node:assert/strict";
import { test } from "node:test";
import { renderTable } from "./table.ts";

test("columns are as wide as their widest cell, figures stand on the right, no line ends in spaces", () => {
  const columns = [{ title: "NAME" }, { title: "LOCKS", figures: true }, { title: "WHY" }];
  assert.deepEqual(
    renderTable(columns, [
      ["client-7", "3", "waiting"],
      ["c1", "1200000", ""],
    ]),
    ["NAME        LOCKS  WHY", "client-7        3  waiting", "c1        1200000"],
  );
});

test("what a client chose cannot move the cursor", () => {
  assert.deepEqual(renderTable([{ title: "NAME" }], [["a\u001b[2Jb\nc\u202e"]]), ["NAME", "a?[2Jb?c?"]);
});
