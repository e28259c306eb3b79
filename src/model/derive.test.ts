import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { SAMPLE_SPEC } from "../../tests/sample-spec.ts";
import { canonicalJson, exportFsid, fileserverMac, reservationKey, specHash } from "./derive.ts";
import { checkFsid, checkMac } from "./leaf.ts";
import { loadSpec } from "./load.ts";

describe("derived values", () => {
  // These never change: a different fsid makes every client's file handles stale.
  test("are what they have always been", () => {
    assert.equal(exportFsid("lab", "home", "/export/data"), "fa60bd2d-8a94-8a6e-9ea6-77f2b20b39ad");
    assert.equal(exportFsid("lab", "media", "/export/data"), "eab2e426-40d9-86be-8c9e-f96918637559");
    assert.equal(fileserverMac("lab", "home"), "02:ee:6c:2c:92:09");
    assert.equal(fileserverMac("lab", "media"), "02:d4:b2:c1:5c:4f");
    assert.equal(reservationKey("lab", "n1"), "e99caa7ba292e211");
    assert.equal(reservationKey("lab", "n2"), "0bd140e838384ca9");
  });

  const words = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,30}$/);

  test("have the form that their users ask for", () => {
    fc.assert(
      fc.property(words, words, words, (cluster, name, folder) => {
        const fsid = exportFsid(cluster, name, `/${folder}`);
        assert.equal(checkFsid(fsid), undefined, fsid);
        assert.match(fsid, /^.{14}8.{4}[89ab]/);
        const mac = fileserverMac(cluster, name);
        assert.equal(checkMac(mac), undefined, mac);
        const key = reservationKey(cluster, name);
        assert.match(key, /^[0-9a-f]{16}$/);
        assert.notEqual(key, "0".repeat(16));
      }),
    );
  });

  test("differ for different names, also where the parts only meet elsewhere", () => {
    const keys = new Set(Array.from({ length: 5000 }, (_, index) => reservationKey("lab", `n${index}`)));
    assert.equal(keys.size, 5000);
    const macs = new Set(Array.from({ length: 5000 }, (_, index) => fileserverMac("lab", `fs${index}`)));
    assert.equal(macs.size, 5000);
    assert.notEqual(reservationKey("ab", "c"), reservationKey("a", "bc"));
    assert.notEqual(exportFsid("a", "b", "/c"), exportFsid("a", "b/c", ""));
  });
});

describe("the generation of a spec", () => {
  test("is the same however the spec is written, and another when it means something else", () => {
    const spec = loadSpec(SAMPLE_SPEC, "a");
    const commented = loadSpec(`# a comment\n${SAMPLE_SPEC.replace("[rw]", "[sync, rw]")}`, "b");
    const changed = loadSpec(SAMPLE_SPEC.replace("[rw]", "[ro]"), "c");
    assert.equal(specHash(spec), specHash(commented));
    assert.notEqual(specHash(spec), specHash(changed));
    assert.equal(specHash(spec), specHash(loadSpec(SAMPLE_SPEC.replace("ssh_config", "/other/path"), "d")));
    assert.match(specHash(spec), /^[0-9a-f]{32}$/);
  });

  test("canonical JSON sorts keys at every level and drops what is undefined", () => {
    assert.equal(canonicalJson({ b: [{ d: 1, c: "x" }], a: null, e: undefined }), '{"a":null,"b":[{"c":"x","d":1}]}');
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        assert.deepEqual(JSON.parse(canonicalJson(value)), JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});
