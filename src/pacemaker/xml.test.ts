import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { descendants, element, elementsOf, firstOf, formatXml, parseXml, type XmlElement } from "./xml.ts";

const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/);
/** XML has no way to write most control characters, and Pacemaker has none. */
const value = fc.string({ unit: "grapheme" }).map((text) => text.replaceAll(/[\p{Cc}\p{Cs}\uFFFE\uFFFF]/gu, ""));

const leaf = fc.tuple(name, fc.dictionary(name, value)).map(([tag, attributes]) => element(tag, { ...attributes }));

function nested(inner: fc.Arbitrary<XmlElement>): fc.Arbitrary<XmlElement> {
  return fc.tuple(leaf, fc.array(inner, { maxLength: 3 })).map(([at, children]) => ({ ...at, children }));
}

const tree = nested(nested(nested(leaf)));

describe("XML", () => {
  test("comes out as it went in, whatever stands in attributes", () => {
    fc.assert(
      fc.property(tree, (written) => {
        assert.deepEqual(parseXml(formatXml(written), "tree"), written);
      }),
      { numRuns: 200 },
    );
  });

  test("keeps order, comments, text and entities", () => {
    const text = '<a x="1 &lt; 2 &amp; &quot;3&#10;4&#x41;"><!-- why --><b/><c>te &amp; xt</c><b n="2"/></a>\n';
    const root = parseXml(text, "text");
    assert.equal(root.attributes["x"], '1 < 2 & "3\n4A');
    assert.deepEqual(
      elementsOf(root).map((each) => each.tag),
      ["b", "c", "b"],
    );
    assert.deepEqual(parseXml(formatXml(root), "again"), root);
    assert.match(formatXml(root), /<!-- why -->/);
    assert.equal(firstOf(root, "b")?.attributes["n"], undefined);
    assert.equal(descendants(root, "b").length, 2);
  });

  test("what is not one whole element is refused", () => {
    for (const text of ["", "rubbish", "<a>", "<a/><b/>", '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>']) {
      assert.throws(() => parseXml(text, "text"), { code: "xml-invalid" }, text);
    }
  });
});
