/** The rules by themselves: what is sound gives no finding, and findings point at places that a spec can have. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SAMPLE_SPEC, sampleWith } from "../../tests/sample-spec.ts";
import { buildCluster, buildFileserver } from "./build.ts";
import { deviceName } from "./device.ts";
import { addressPath, isWithin, ownerOf, repeated, type Draft } from "./draft.ts";
import { fileserverFindings, optionFindings, SYSTEM_FOLDERS } from "./fileserver-rules.ts";
import { loadSpec } from "./load.ts";
import { ruleFindings } from "./rules.ts";
import type { Spec } from "./spec.ts";
import { warningFindings } from "./warnings.ts";

function draftOf(spec: Spec): Draft {
  return {
    cluster: spec.cluster,
    fileservers: spec.fileservers.map((each, index) => ({
      path: ["fileservers", index],
      spec: each,
      given: { mac: false },
    })),
    directors: [],
  };
}

const sample = draftOf(loadSpec(SAMPLE_SPEC, "sample"));

describe("rules", () => {
  test("a sound draft has no finding", () => {
    assert.deepEqual(ruleFindings(sample), []);
    assert.deepEqual(warningFindings(sample), []);
  });

  test("a draft without its broken cluster is judged by the rest", () => {
    const draft = { ...sample, cluster: undefined };
    assert.deepEqual(ruleFindings(draft), []);
    const [home] = sample.fileservers;
    assert.ok(home !== undefined);
    assert.deepEqual(fileserverFindings(home, undefined), []);
    const twice = ruleFindings({ ...draft, fileservers: [home, { ...home, path: ["fileservers", 1] }] });
    assert.deepEqual(twice.map((finding) => finding.code).toSorted(), [
      "address-taken",
      "address-taken",
      "device-taken",
      "hostname-taken",
      "name-taken",
    ]);
  });

  test("every system folder is refused as a mount path, and a folder that only begins like one is not", () => {
    for (const folder of SYSTEM_FOLDERS) {
      const [home] = draftOf(loadSpec(SAMPLE_SPEC, "a")).fileservers;
      assert.ok(home !== undefined);
      const at = (mountPath: string) => ({
        ...home,
        spec: { ...home.spec, volumes: home.spec.volumes.map((volume) => ({ ...volume, mountPath })) },
      });
      const codes = (mountPath: string) => fileserverFindings(at(mountPath), undefined).map((finding) => finding.code);
      assert.ok(codes(`/${folder}/x`).includes("mount-forbidden"), folder);
      assert.ok(codes(`/${folder}`).includes("mount-forbidden"), folder);
      assert.ok(!codes(`/${folder}x`).includes("mount-forbidden"), folder);
    }
  });

  test("options are judged as written, before defaults hide a contradiction", () => {
    const [finding] = optionFindings(["fileservers", 0], [{ clients: [{ options: ["sync", "rw", "ro"] }, {}] }]);
    assert.deepEqual(finding?.path, ["fileservers", 0, "exports", 0, "clients", 0, "options", 2]);
    assert.deepEqual(finding.other, ["fileservers", 0, "exports", 0, "clients", 0, "options", 1]);
  });
});

describe("what rules are made of", () => {
  test("a path is within a folder, not beside it", () => {
    assert.ok(isWithin("/a/b", "/a") && isWithin("/a", "/a") && isWithin("/a", "/"));
    assert.ok(!isWithin("/ab", "/a") && !isWithin("/a", "/a/b"));
  });

  test("every repetition is paired with the first of its kind", () => {
    const entry = (key: string, at: number) => ({ key, path: [at], owner: "" });
    const found = repeated([entry("a", 0), entry("b", 1), entry("a", 2), entry("a", 3)]);
    assert.deepEqual(
      found.map(({ entry: { path }, first }) => [path, first.path]),
      [
        [[2], [0]],
        [[3], [0]],
      ],
    );
  });

  test("devices, owners and places are named as in the spec", () => {
    assert.equal(deviceName({ kind: "lv", vg: "home", lv: "data" }), "home/data");
    assert.equal(deviceName({ kind: "disk", path: "/dev/disk/by-id/x" }), "/dev/disk/by-id/x");
    const [home] = sample.fileservers;
    assert.ok(home !== undefined);
    assert.equal(ownerOf(home), "fileserver home");
    assert.deepEqual(addressPath(home, 1), ["fileservers", 0, "address", 1]);
  });

  test("texts are brought into their canonical form", () => {
    const cluster = buildCluster({
      name: "lab",
      engine: "standalone",
      nodes: [{ name: "n1", addresses: ["FD77:0:0::11"] }],
    });
    assert.deepEqual(cluster.nodes[0]?.addresses, ["fd77::11"]);
    assert.deepEqual(cluster.fencing, []);
    const fileserver = buildFileserver(
      {
        name: "home",
        hostname: "home.lab.example",
        address: "FD77::0050/64",
        interface: "eth1",
        mac: "0A:BB:CC:DD:EE:FF",
        volumes: [{ name: "data", device: "/dev/disk/by-id/x", filesystem: "ext4" }],
        exports: [
          {
            path: "/export/data",
            volume: "data",
            fsid: "6F1C3C9E-6F0E-4C2B-9D54-0B8F7D0F2A11",
            clients: [{ match: "*" }],
          },
        ],
        placement: { failback: { afterHealthyFor: "10m" } },
      },
      "lab",
    );
    assert.equal(fileserver.addresses[0]?.address, "fd77::50");
    assert.equal(fileserver.mac, "0a:bb:cc:dd:ee:ff");
    assert.equal(fileserver.exports[0]?.fsid, "6f1c3c9e-6f0e-4c2b-9d54-0b8f7d0f2a11");
    assert.deepEqual(fileserver.placement.failback, { afterHealthyForS: 600 });
  });

  test("a fileserver that is not there yet is no rule's business", () => {
    const spec = loadSpec(
      sampleWith([SAMPLE_SPEC.slice(SAMPLE_SPEC.indexOf("fileservers:")), "fileservers: []\n"]),
      "a",
    );
    assert.deepEqual(spec.fileservers, []);
    assert.deepEqual(ruleFindings(draftOf(spec)), []);
  });
});
