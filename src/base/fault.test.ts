import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Fault, explain, faultDocument, faultFromDocument, messageOf, toFault } from "./fault.ts";

const reserved = new Fault({
  kind: "refused",
  code: "volume-reserved",
  what: "volume data of home is reserved by n1",
  why: "two nodes writing to one file system destroy it",
  remedy: "move home away from n1, or fence n1",
  cause: new Error("READ RESERVATION shows key 0x1", { cause: new Error("sense 00") }),
});

describe("explain", () => {
  test("says what, because, why and what to do, in this order", () => {
    assert.deepEqual(explain(reserved), [
      "volume data of home is reserved by n1",
      "  because: READ RESERVATION shows key 0x1",
      "  because: sense 00",
      "  why: two nodes writing to one file system destroy it",
      "  do: move home away from n1, or fence n1",
    ]);
  });

  test("copes with anything that was thrown", () => {
    assert.deepEqual(explain(new Error("plain", { cause: "text" })), ["plain", "  because: text"]);
    assert.deepEqual(explain("text"), ["text"]);
    assert.equal(messageOf(undefined), "undefined");
  });

  test("ends on a chain of causes that has no end", () => {
    const error = new Error("snake");
    error.cause = error;
    const lines = explain(error);
    assert.ok(lines.length > 1 && lines.length < 50, `${lines.length} lines`);
  });
});

describe("toFault", () => {
  test("keeps a Fault and calls everything else unexpected", () => {
    assert.equal(toFault(reserved), reserved);
    assert.equal(toFault(new Error("x")).code, "unexpected");
    assert.equal(toFault(new Error("x")).kind, "failed");
  });
});

test("a Fault survives the way through a document", () => {
  const text = fc.string({ minLength: 1 });
  fc.assert(
    fc.property(
      fc.constantFrom("failed" as const, "invalid" as const, "refused" as const),
      text,
      fc.option(text, { nil: undefined }),
      fc.array(text, { maxLength: 5 }),
      (kind, what, remedy, because) => {
        let cause: Error | undefined;
        for (const message of because.toReversed()) cause = new Error(message, { cause });
        const fault = new Fault({ kind, code: "a-code", what, ...(remedy === undefined ? {} : { remedy }), cause });
        const document = faultDocument(fault);
        assert.deepEqual(document.because ?? [], because);
        assert.deepEqual(faultDocument(faultFromDocument(document)), document);
      },
    ),
  );
});
