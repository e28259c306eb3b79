import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { matchesGolden } from "../../tests/golden.ts";
import { sampleWith } from "../../tests/sample-spec.ts";
import { loadSpec } from "../model/load.ts";
import type { ClusterSpec } from "../model/spec.ts";
import { assignNodeIds, corosyncConf, readCorosyncConf } from "./corosync-conf.ts";
import { consensusMs, DETECTION, detectionMs } from "./detection.ts";

const N3 = "    - { name: n3, addresses: [10.77.0.13, 10.78.0.13] }\n";
const SSH = "  ssh: { config: ssh_config }\n";

function cluster(...changes: readonly (readonly [string, string])[]): ClusterSpec {
  return loadSpec(sampleWith(["engine: standalone", "engine: pacemaker"], ...changes), "sample").cluster;
}

describe("corosync.conf", () => {
  const plain = { timeScale: 1, nodeIds: new Map() };
  const scenes = {
    "two-nodes": corosyncConf(cluster(), plain),
    "three-nodes-fast": corosyncConf(cluster([SSH, `${N3}  detection: fast\n${SSH}`]), plain),
    "witness-emulated": corosyncConf(cluster([SSH, `  witness: st\n  detection: patient\n${SSH}`]), {
      timeScale: 10,
      nodeIds: new Map(),
    }),
  };
  for (const [name, text] of Object.entries(scenes)) {
    test(name, () => matchesGolden(`pacemaker/corosync-${name}.conf`, text));
  }

  test("is always encrypted, and two nodes alone wait for each other", () => {
    for (const text of Object.values(scenes)) {
      assert.match(text, /crypto_cipher: aes256\n\s+crypto_hash: sha256/);
    }
    assert.match(scenes["two-nodes"], /two_node: 1\n\s+wait_for_all: 1/);
    assert.doesNotMatch(scenes["three-nodes-fast"], /two_node/);
    assert.doesNotMatch(scenes["witness-emulated"], /two_node/);
  });

  test("keeps the ids that nodes have, whoever came or went", () => {
    const found = readCorosyncConf(scenes["three-nodes-fast"]);
    assert.deepEqual(
      [...found.nodeIds],
      [
        ["n1", 1],
        ["n2", 2],
        ["n3", 3],
      ],
    );
    const without1 = assignNodeIds(["n2", "n3", "n4"], found.nodeIds);
    assert.deepEqual(
      [...without1],
      [
        ["n2", 2],
        ["n3", 3],
        ["n4", 1],
      ],
    );
    assert.deepEqual(
      [...assignNodeIds(["a", "b"], new Map([["b", 1]]))],
      [
        ["a", 2],
        ["b", 1],
      ],
    );
  });

  test("is read for what is needed, and Debian's example is known", () => {
    assert.deepEqual(readCorosyncConf(scenes["two-nodes"]), {
      clusterName: "lab",
      nodeIds: new Map([
        ["n1", 1],
        ["n2", 2],
      ]),
      stock: false,
    });
    const stock =
      "totem {\n\tcluster_name: debian\n}\nnodelist {\n\tnode {\n\t\tname: node1\n\t\tnodeid: 1\n\t\tring0_addr: 127.0.0.1\n\t}\n}\n";
    assert.equal(readCorosyncConf(stock).stock, true);
    assert.equal(readCorosyncConf(stock.replace("127.0.0.1", "10.0.0.1")).stock, false);
    assert.deepEqual(readCorosyncConf("rubbish }{"), { clusterName: undefined, nodeIds: new Map(), stock: false });
  });
});

/** Corosync's default, below which it refuses a consensus (JOIN_TIMEOUT, exec/totemconfig.c). */
const JOIN_MS = 50;

test("the profiles differ in the order of their names, and corosync's own rules for consensus hold", () => {
  for (const nodes of [2, 3]) {
    assert.ok(detectionMs("patient", nodes) > detectionMs("balanced", nodes));
    assert.ok(detectionMs("balanced", nodes) > detectionMs("fast", nodes));
  }
  assert.deepEqual([detectionMs("balanced", 2), detectionMs("balanced", 3)], [3_600, 6_600]);
  for (const profile of ["patient", "balanced", "fast"] as const) {
    assert.ok(consensusMs(profile, 3) >= 1.2 * DETECTION[profile].tokenMs);
    assert.ok(consensusMs(profile, 2) > JOIN_MS && consensusMs(profile, 2) < DETECTION[profile].tokenMs);
  }
});
