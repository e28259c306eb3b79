import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { recorded } from "../../tests/expected-commands.ts";
import { matchesGolden } from "../../tests/golden.ts";
import { parseSpec } from "../model/load.ts";
import { emptyCib, parseCib } from "./cib.ts";
import { importCib } from "./import-cib.ts";

const HAND_BUILT = recorded("pacemaker/hand-built.xml");
const imported = importCib(parseCib(HAND_BUILT).root, "files");
const codes = imported.findings.map(({ code }) => code);

describe("a hand-built NFS group", () => {
  test("becomes a spec with findings and steps", () => {
    const findings = imported.findings.map(({ weight, code, about, what }) => `${weight} ${code} ${about}: ${what}`);
    const text = [imported.text, ...findings, "", ...imported.steps].join("\n");
    matchesGolden("import/hand-built.txt", text);
  });

  test("is told what it would have lost data by, before all else", () => {
    assert.deepEqual(codes.slice(0, 2), ["fencing-off", "quorum-ignored"]);
    for (const code of [
      "option-unsafe",
      "fsid-zero",
      "root-trusted",
      "lease-wait",
      "notify-missing",
      "not-taken-over",
    ]) {
      assert.ok((codes as readonly string[]).includes(code), code);
    }
  });

  test("takes no password over, not into the spec and not into a finding", () => {
    assert.doesNotMatch(JSON.stringify(imported), /hunter2/);
  });

  test("is a valid spec as soon as the gaps are filled", () => {
    const filled = imported.text
      .replace("name: n1, addresses: [FILL-IN]", "name: n1, addresses: [10.77.0.11]")
      .replace("name: n2, addresses: [FILL-IN]", "name: n2, addresses: [10.77.0.12]")
      .replace("hostname: FILL-IN", "hostname: files.example.com");
    const parsed = parseSpec(filled);
    assert.ok(parsed.ok, JSON.stringify(parsed));
    const [fileserver] = parsed.spec.fileservers;
    assert.deepEqual(fileserver?.volumes[0]?.device, { kind: "lv", vg: "NFS_SHARED", lv: "NFS-LVM" });
    assert.equal(fileserver?.volumes[0]?.mountPath, "/nfsdata");
  });

  test("with a numbered fsid, a device of no stable name and an address without prefix is told so", () => {
    const text = HAND_BUILT.replace('name="fsid" value="0"', 'name="fsid" value="7"')
      .replace("/dev/mapper/NFS_SHARED-NFS--LVM", "/dev/sdb1")
      .replace('<nvpair id="VIP-mask" name="cidr_netmask" value="24"/>', "")
      .replace('<nvpair id="VIP-nic" name="nic" value="eth1"/>', "")
      .replace("/nfsdata/nfsinfo", "/var/lib/nfs");
    const found = importCib(parseCib(text).root, "files").findings.map(({ code }) => code as string);
    for (const code of ["fsid-changes", "device-unstable", "address-prefix", "interface-unknown", "state-outside"]) {
      assert.ok(found.includes(code), code);
    }
  });
});

test("a configuration without NFS is told so, and makes an empty spec", () => {
  const { findings, text } = importCib(emptyCib().root, "files");
  assert.deepEqual(
    findings.map(({ code }) => code),
    ["no-nfs-group", "fencing-missing"],
  );
  assert.match(text, /fileservers: \[\]/);
});

test("nothing in an old configuration can become anything but a text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (hostile) => {
      const clean = hostile.replaceAll(/[\p{Cc}\p{Cs}\uFFFE\uFFFF<&"]/gu, "");
      const text = HAND_BUILT.replace('value="/nfsdata"', `value="${clean.replaceAll("$", "")}"`);
      const { text: spec } = importCib(parseCib(text).root, "files");
      const parsed = parseSpec(spec);
      assert.ok(!parsed.ok, "gaps are left");
      assert.ok(
        parsed.problems.every(({ code }) => code !== "not-yaml" && code !== "yaml-tag" && code !== "yaml-alias"),
        JSON.stringify(parsed.problems),
      );
    }),
    { numRuns: 200 },
  );
});
