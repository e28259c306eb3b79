import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AssertionError } from "../base/assert.ts";
import { encodeRequest, errorsFile, outputFile, parseAnswer, requestFile } from "./holder.ts";

describe("encodeRequest", () => {
  test("a word per line, a semicolon after each command", () => {
    assert.equal(
      encodeRequest([
        ["/usr/bin/mount", "-t", "xfs", "/dev/dm-0", "/a b"],
        ["write_file", "/x", ""],
      ]),
      "/usr/bin/mount\n-t\nxfs\n/dev/dm-0\n/a b\n;\nwrite_file\n/x\n\n;\n",
    );
    assert.equal(encodeRequest([["x", ";x", "a;", "$HOME", "*"]]), "x\n;x\na;\n$HOME\n*\n;\n");
  });

  test("what would be two words, or the end of the command, is a bug and not sent", () => {
    for (const word of ["a\nb", "\n", "a\0", ";"])
      assert.throws(() => encodeRequest([["echo", word]]), AssertionError, JSON.stringify(word));
  });
});

describe("parseAnswer", () => {
  test("a request's number and its status", () => {
    assert.deepEqual(parseAnswer("0a1b2c3d-17 0"), { id: "0a1b2c3d-17", status: 0 });
    assert.deepEqual(parseAnswer("0a1b2c3d-17 127"), { id: "0a1b2c3d-17", status: 127 });
  });

  test("half a line of a dead agent's request is no answer", () => {
    for (const line of ["", "0a1b-1", "0a1b-1 ", "0a1b-1 x", "-1 0 0", "A 0", "0a1b-1 -1"])
      assert.equal(parseAnswer(line), undefined, line);
  });
});

test("each request has files of its own", () => {
  const names = ["a-1", "a-2"].flatMap((id) => [requestFile(id), outputFile(id), errorsFile(id)]);
  assert.equal(new Set(names).size, names.length);
});
