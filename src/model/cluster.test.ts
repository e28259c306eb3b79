import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { sampleWith } from "../../tests/sample-spec.ts";
import { clusterFindings } from "./cluster-rules.ts";
import { loadSpec, parseSpec } from "./load.ts";

type Changes = readonly (readonly [string, string])[];
const PACEMAKER = ["engine: standalone", "engine: pacemaker"] as const;
const SSH = "  ssh: { config: ssh_config }\n";

const fencing = (text: string): Changes => [PACEMAKER, [SSH, `  fencing: ${text}\n${SSH}`]];
const places = (text: string): Changes => [["{ prefer: n1, failback: manual }", text]];

/** "path code" of every problem. */
const CASES: Readonly<Record<string, { readonly change: Changes; readonly wanted: readonly string[] }>> = {
  "no way to fence": { change: fencing("[]"), wanted: ["cluster.fencing fencing-missing"] },
  "fencing switched off": {
    change: fencing('[{ agent: scsi, options: { stonith-enabled: "false" } }]'),
    wanted: ["cluster.fencing[0].options.stonith-enabled fencing-off"],
  },
  "a password in the spec": {
    change: fencing("[{ agent: ipmilan, options: { ip: a, password: b } }]"),
    wanted: ["cluster.fencing[0].options.password fencing-secret"],
  },
  "a password for one node": {
    change: fencing("[{ agent: ipmilan, nodes: { n1: { snmp_priv_passwd: b }, n2: { ip: a } } }]"),
    wanted: ["cluster.fencing[0].nodes.n1.snmp_priv_passwd fencing-secret"],
  },
  "a node without options": {
    change: fencing("[{ agent: ipmilan, nodes: { n1: { ip: a } } }]"),
    wanted: ["cluster.fencing[0].nodes fencing-incomplete"],
  },
  "options of an unknown node": {
    change: fencing("[{ agent: ipmilan, nodes: { n1: { ip: a }, n2: { ip: b }, n9: { ip: c } } }]"),
    wanted: ["cluster.fencing[0].nodes.n9 node-unknown"],
  },
  "links that differ": {
    change: [PACEMAKER, ["[10.77.0.12, 10.78.0.12]", "[10.77.0.12]"]],
    wanted: ["cluster.nodes[1].addresses links-differ"],
  },
  "a name that Pacemaker cannot carry": {
    change: [PACEMAKER, ["name: media", "name: 7media"]],
    wanted: ["fileservers[1].name name-reserved"],
  },
  "beside nobody": {
    change: places("{ apart: [medai] }"),
    wanted: ["fileservers[0].placement.apart[0] fileserver-unknown"],
  },
  "beside itself": {
    change: places("{ together: [home] }"),
    wanted: ["fileservers[0].placement.together[0] placement-conflict"],
  },
  "beside and apart": {
    change: places("{ apart: [media], together: [media] }"),
    wanted: ["fileservers[0].placement.together[0] placement-conflict"],
  },
  "not a watchdog": {
    change: [[SSH, `  watchdog: /etc/passwd\n${SSH}`]],
    wanted: ["cluster.watchdog bad-file"],
  },
  "a disk of no stable name": {
    change: [["filesystem: xfs }", "filesystem: xfs, disks: /dev/sda }"]],
    wanted: ["fileservers[0].volumes[0].disks bad-device"],
  },
};

describe("the cluster's part of a spec", () => {
  for (const [name, { change, wanted }] of Object.entries(CASES)) {
    test(`is refused: ${name}`, () => {
      const parsed = parseSpec(sampleWith(...change));
      assert.deepEqual(parsed.ok ? [] : parsed.problems.map((problem) => `${problem.path} ${problem.code}`), wanted);
    });
  }

  test("is warned about: an even number of nodes, disks of a disk", () => {
    const parsed = parseSpec(
      sampleWith(
        PACEMAKER,
        [
          SSH,
          "    - { name: n3, addresses: [10.77.0.13, 10.78.0.13] }\n    - { name: n4, addresses: [10.77.0.14, 10.78.0.14] }\n",
        ],
        [
          "device: home/data, filesystem: xfs",
          "device: /dev/disk/by-id/wwn-0x1, filesystem: xfs, disks: /dev/disk/by-id/wwn-0x2",
        ],
      ),
    );
    assert.ok(parsed.ok);
    assert.deepEqual(
      parsed.warnings.map((warning) => warning.code),
      ["even-nodes", "no-effect"],
    );
  });

  test("fences by persistent reservations where it says nothing, and only with Pacemaker", () => {
    assert.deepEqual(loadSpec(sampleWith(PACEMAKER), "sample").cluster.fencing, [{ agent: "scsi", options: {} }]);
    assert.deepEqual(loadSpec(sampleWith(), "sample").cluster.fencing, []);
  });

  test("is carried with everything that it says", () => {
    const spec = loadSpec(
      sampleWith(
        [SSH, "  watchdog: /dev/watchdog0\n"],
        ["filesystem: xfs }", "filesystem: xfs, disks: /dev/disk/by-id/wwn-0x1 }"],
        ["{ prefer: n1, failback: manual }", "{ apart: [media] }"],
      ),
      "sample",
    );
    assert.equal(spec.cluster.watchdog, "/dev/watchdog0");
    assert.deepEqual(spec.fileservers[0]?.volumes[0]?.disks, ["/dev/disk/by-id/wwn-0x1"]);
    assert.deepEqual(spec.fileservers[0]?.placement, { failback: "manual", apart: ["media"] });
  });

  test("has no rules where it is broken by itself", () => {
    assert.deepEqual(clusterFindings({ cluster: undefined, fileservers: [], directors: [] }), []);
  });
});
