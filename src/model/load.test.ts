import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { SAMPLE_SPEC, sampleWith } from "../../tests/sample-spec.ts";
import { Fault } from "../base/fault.ts";
import { loadSpec, parseSpec } from "./load.ts";
import { PROBLEM_CODES, WARNING_CODES } from "./problem-codes.ts";
import type { SpecProblem, SpecWarning } from "./problem.ts";

function problemsOf(text: string): readonly SpecProblem[] {
  const parsed = parseSpec(text);
  return parsed.ok ? [] : parsed.problems;
}

function warningsOf(text: string): readonly SpecWarning[] {
  const parsed = parseSpec(text);
  assert.ok(parsed.ok, "is not valid");
  return parsed.warnings;
}

interface Case {
  /** What is replaced in the sample, each once. */
  readonly change: readonly (readonly [string, string])[];
  /** "line code path" of every problem, in order. */
  readonly wanted: readonly string[];
}

const change = (find: string, replace: string, ...wanted: readonly string[]): Case => ({
  change: [[find, replace]],
  wanted,
});
/** Changes in the second fileserver. */
const media = (find: string, replace: string, ...wanted: readonly string[]): Case => {
  const at = SAMPLE_SPEC.indexOf("  - name: media");
  const tail = SAMPLE_SPEC.slice(at);
  assert.ok(tail.includes(find));
  return { change: [[tail, tail.replace(find, replace)]], wanted };
};

const CASES: Readonly<Record<string, Case>> = {
  "another version": change("holdfast/v1", "holdfast/v2", "1 api-version apiVersion"),
  "no version": change("apiVersion: holdfast/v1\n", "", "1 missing-key "),
  "unknown key": change("    interface: eth1\n", "    interfaces: eth1\n", "13 unknown-key fileservers[0].interfaces"),
  "key of no level": change("engine: standalone", "engine: standalone\n  color: red", "5 unknown-key cluster.color"),
  "wrong type: number for text": change("- name: home", "- name: 7", "10 wrong-type fileservers[0].name"),
  "wrong type: text for list": change(
    "addresses: [10.77.0.11, 10.78.0.11]",
    "addresses: 10.77.0.11",
    "6 wrong-type cluster.nodes[0].addresses",
  ),
  "wrong type: no value": change("    interface: eth1\n", "    interface:\n", "13 wrong-type fileservers[0].interface"),
  "wrong value with a near one": change("engine: standalone", "engine: standalon", "4 wrong-value cluster.engine"),
  "out of range": change(
    "    interface: eth1\n",
    "    interface: eth1\n    nfs: { threads: 0, lease: 5s }\n",
    "14 out-of-range fileservers[0].nfs.threads",
    "14 out-of-range fileservers[0].nfs.lease",
  ),
  "empty list": change(
    "[{ match: 10.77.0.0/24, options: [rw] }]",
    "[]",
    "19 too-few fileservers[0].exports[0].clients",
  ),
  "17 nodes": change(
    "    - { name: n2, addresses: [10.77.0.12, 10.78.0.12] }",
    Array.from({ length: 16 }, (_, index) => `    - { name: m${index}, addresses: [10.1.0.${index + 1}] }`).join("\n"),
    "6 too-many cluster.nodes",
  ),
  "bad failback": change(
    "failback: manual",
    "failback: { afterHealthyFor: soon }",
    "20 bad-duration fileservers[0].placement.failback.afterHealthyFor",
  ),
  "failback of no form": change(
    "failback: manual",
    "failback: [manual]",
    "20 wrong-value fileservers[0].placement.failback",
  ),
  "bad name of a node": change("name: n1, ", "name: N1, ", "6 bad-name cluster.nodes[0].name"),
  "two nodes of one name": change("name: n2", "name: n1", "7 name-taken cluster.nodes[1].name"),
  "two fileservers of one name": media("name: media", "name: home", "21 name-taken fileservers[1].name"),
  "two volumes of one name": change(
    "filesystem: xfs }",
    "filesystem: xfs }\n      - { name: data, device: home/more, filesystem: ext4, mount: /export/more }",
    "16 name-taken fileservers[0].volumes[1].name",
  ),
  "one host name twice": media("media.lab.example", "home.lab.example", "22 hostname-taken fileservers[1].hostname"),
  "host name without a domain": change("home.lab.example", "home", "11 bad-hostname fileservers[0].hostname"),
  "a fileserver's address twice": media("10.77.0.51/24", "10.77.0.50/24", "23 address-taken fileservers[1].address[0]"),
  "a fileserver with a node's address": media(
    "10.77.0.51/24",
    "10.77.0.12/24",
    "23 address-taken fileservers[1].address[0]",
  ),
  "one IPv6 address in two spellings": media(
    "fd77::51/64",
    "FD77:0::50/64",
    "23 address-taken fileservers[1].address[1]",
  ),
  "a node's address twice": change("10.78.0.12", "10.78.0.11", "7 address-taken cluster.nodes[1].addresses[1]"),
  "a director with a fileserver's address": change(
    "fileservers:\n",
    "directors: [{ name: lb, machines: [{ name: d1, address: 10.77.0.50 }], services: [{ fileserver: home }] }]\nfileservers:\n",
    "9 address-taken directors[0].machines[0].address",
  ),
  "a gateway that is a node": change(
    "    interface: eth1\n",
    "    interface: eth1\n    gateway: 10.77.0.11\n",
    "14 address-taken fileservers[0].gateway",
  ),
  "a gateway elsewhere": change(
    "    interface: eth1\n",
    "    interface: eth1\n    gateway: 10.99.0.1\n",
    "14 gateway-outside fileservers[0].gateway",
  ),
  "two IPv4 addresses": change("fd77::50/64", "10.77.0.52/24", "12 family-twice fileservers[0].address[1]"),
  "two IPv6 gateways": change(
    "    interface: eth1\n",
    "    interface: eth1\n    gateway: [fd77::1, fd77::2]\n",
    "14 family-twice fileservers[0].gateway[1]",
  ),
  "networks that overlap": media("10.77.0.51/24", "10.77.0.51/16", "23 networks-overlap fileservers[1].address[0]"),
  "broadcast address": change("10.77.0.50/24", "10.77.0.255/24", "12 bad-cidr fileservers[0].address[0]"),
  "address without prefix": change("[10.77.0.50/24, fd77::50/64]", "10.77.0.50", "12 bad-cidr fileservers[0].address"),
  "macvlan and ipvlan on one interface": media(
    "    interface: eth1\n",
    "    interface: eth1\n    link: ipvlan\n",
    "25 link-mixed fileservers[1].link",
  ),
  "one MAC twice": {
    change: [
      ["    interface: eth1\n    volumes", "    interface: eth1\n    mac: 02:00:00:00:00:01\n    volumes"],
      [
        "eth1\n    volumes:\n      - { name: data, device: media",
        "eth1\n    mac: 02:00:00:00:00:01\n    volumes:\n      - { name: data, device: media",
      ],
    ],
    wanted: ["26 mac-taken fileservers[1].mac"],
  },
  "one device in two fileservers": media("media/data", "home/data", "26 device-taken fileservers[1].volumes[0].device"),
  "one group in two fileservers": media("media/data", "home/more", "26 group-shared fileservers[1].volumes[0].device"),
  "a device in a volatile name": change(
    "device: home/data",
    "device: /dev/sda",
    "15 bad-device fileservers[0].volumes[0].device",
  ),
  "mount in a system folder": change(
    "device: home/data, filesystem: xfs }",
    "device: home/data, filesystem: xfs, mount: /var/data }",
    "15 mount-forbidden fileservers[0].volumes[0].mount",
    "17 export-outside fileservers[0].exports[0].path",
  ),
  "two mounts at one path": change(
    "filesystem: xfs }",
    "filesystem: xfs }\n      - { name: more, device: home/more, filesystem: ext4, mount: /export/data }",
    "16 mount-taken fileservers[0].volumes[1].mount",
  ),
  "one mount inside another": change(
    "filesystem: xfs }",
    "filesystem: xfs }\n      - { name: more, device: home/more, filesystem: ext4, mount: /export/data/more }",
    "16 mount-taken fileservers[0].volumes[1].mount",
  ),
  "unknown volume": change("volume: data", "volume: dat", "18 volume-unknown fileservers[0].exports[0].volume"),
  "export outside its volume": change(
    "path: /export/data",
    "path: /export/database",
    "17 export-outside fileservers[0].exports[0].path",
  ),
  "export that climbs out": change(
    "path: /export/data",
    "path: /export/data/../../etc",
    "17 bad-path fileservers[0].exports[0].path",
  ),
  "export of Holdfast's folder": change(
    "path: /export/data",
    "path: /export/data/.holdfast",
    "17 export-reserved fileservers[0].exports[0].path",
  ),
  "export twice": change(
    "options: [rw] }]",
    "options: [rw] }]\n      - { path: /export/data, volume: data, clients: [{ match: c1 }] }",
    "20 export-taken fileservers[0].exports[1].path",
  ),
  "one fsid twice": {
    change: [
      ["        volume: data\n", "        volume: data\n        fsid: 6f1c3c9e-6f0e-4c2b-9d54-0b8f7d0f2a11\n"],
      [
        "device: media/data, filesystem: xfs }\n    exports:\n",
        "device: media/data, filesystem: xfs }\n    exports:\n      - { path: /export/data/sub, volume: data, fsid: 6F1C3C9E-6F0E-4C2B-9D54-0B8F7D0F2A11, clients: [{ match: 10.77.0.0/24 }] }\n",
      ],
    ],
    wanted: ["29 fsid-taken fileservers[1].exports[0].fsid"],
  },
  "fsid 0": change(
    "        volume: data\n",
    "        volume: data\n        fsid: 0\n",
    "19 wrong-type fileservers[0].exports[0].fsid",
  ),
  "bad client": change(
    "match: 10.77.0.0/24",
    "match: 10.77.0.0/255.255.255.0",
    "19 bad-client fileservers[0].exports[0].clients[0].match",
  ),
  "one client twice": change(
    "options: [rw] }]",
    "options: [rw] }, { match: 10.77.0.0/24 }]",
    "19 client-twice fileservers[0].exports[0].clients[1].match",
  ),
  async: change("[rw]", "[rw, async]", "19 option-unsafe fileservers[0].exports[0].clients[0].options[1]"),
  crossmnt: change("[rw]", "[rw, crossmnt]", "19 option-taken fileservers[0].exports[0].clients[0].options[1]"),
  Kerberos: change("[rw]", "[rw, sec=krb5]", "19 option-not-yet fileservers[0].exports[0].clients[0].options[1]"),
  "rw and ro": change("[rw]", "[rw, ro]", "19 option-conflict fileservers[0].exports[0].clients[0].options[1]"),
  "unknown preferred node": change("prefer: n1", "prefer: n3", "20 node-unknown fileservers[0].placement.prefer"),
  "one port for two services": change(
    "    interface: eth1\n",
    "    interface: eth1\n    nfs: { ports: { mountd: 2049, statd: 4001 } }\n",
    "14 port-taken fileservers[0].nfs.ports",
    "14 port-taken fileservers[0].nfs.ports.mountd",
  ),
  "different lockd ports": media(
    "    interface: eth1\n",
    "    interface: eth1\n    nfs: { ports: { lockd: 4002 } }\n",
    "25 lockd-port-differs fileservers[1].nfs.ports.lockd",
  ),
  "grace shorter than the lease": change(
    "    interface: eth1\n",
    "    interface: eth1\n    nfs: { lease: 60s, grace: 30 }\n",
    "14 grace-too-short fileservers[0].nfs.grace",
  ),
  "pacemaker with uneven links": {
    change: [
      ["engine: standalone", "engine: pacemaker"],
      ["10.77.0.12, 10.78.0.12", "10.77.0.12"],
    ],
    wanted: ["7 links-differ cluster.nodes[1].addresses"],
  },
  "bad ssh configuration": change("config: ssh_config", "config: -oProxyCommand=x", "8 bad-file cluster.ssh.config"),
  "bad fence agent": change(
    "engine: standalone",
    "engine: standalone\n  fencing: [{ agent: ../sh }]",
    "5 bad-agent cluster.fencing[0].agent",
  ),
  "bad witness": change("engine: standalone", "engine: standalone\n  witness: -x", "5 bad-host cluster.witness"),
  "control characters in a fence option": change(
    "engine: standalone",
    'engine: standalone\n  fencing: [{ agent: scsi, options: { a: "x\\ny" } }]',
    "5 bad-text cluster.fencing[0].options.a",
  ),
  "bad interface": change("interface: eth1", "interface: lo", "13 bad-interface fileservers[0].interface"),
  "a card maker's MAC": change(
    "    interface: eth1\n",
    "    interface: eth1\n    mac: 00:11:22:33:44:55\n",
    "14 bad-mac fileservers[0].mac",
  ),
  "a bad fsid": change(
    "        volume: data\n",
    "        volume: data\n        fsid: root\n",
    "19 bad-fsid fileservers[0].exports[0].fsid",
  ),
  "a bad option": change("[rw]", "[rw, quick]", "19 bad-option fileservers[0].exports[0].clients[0].options[1]"),
  "a node's address with prefix": change(
    "10.77.0.11,",
    "10.77.0.11/24,",
    "6 bad-address cluster.nodes[0].addresses[0]",
  ),
};

describe("a spec is refused", () => {
  for (const [name, { change: changes, wanted }] of Object.entries(CASES)) {
    test(name, () => {
      const problems = problemsOf(sampleWith(...changes));
      assert.deepEqual(
        problems.map((problem) => `${problem.line} ${problem.code} ${problem.path}`),
        wanted,
      );
      for (const problem of problems) {
        assert.ok(problem.what !== "" && problem.why !== "" && problem.remedy !== "", "what, why and what to do");
      }
    });
  }

  test("all problems at once, by line, also in parts that are sound beside broken ones", () => {
    const text = sampleWith(
      ["apiVersion: holdfast/v1", "apiVersion: holdfast/v3"],
      ["hostname: home.lab.example", "hostname: home"],
      ["prefer: n1", "prefers: n1"],
      ["media/data", "media/data/x"],
      ["n2, addresses: [10.77.0.12", "n2, addresses: [10.77.0.11"],
    );
    const lines = problemsOf(text).map((problem) => problem.line);
    assert.deepEqual(lines, [1, 7, 11, 20, 26]);
  });

  test("a misspelt key is told once, not also as missing", () => {
    const problems = problemsOf(sampleWith(["hostname: home", "hostnmae: home"]));
    assert.deepEqual(
      problems.map((problem) => problem.remedy),
      ["did you mean hostname?"],
    );
  });

  test("the other place is named by its line", () => {
    const [problem] = problemsOf(sampleWith(["name: n2", "name: n1"]));
    assert.match(problem?.what ?? "", /\(line 6\)$/);
  });

  test("an empty file, a list, a text", () => {
    for (const text of ["", "# nothing\n", "- a\n", "hello\n"]) {
      const [problem, ...rest] = problemsOf(text);
      assert.equal(problem?.code, "wrong-type");
      assert.match(problem.remedy, /holdfast init/);
      assert.deepEqual(rest, []);
    }
  });

  test("as a fault of kind invalid, with the file's name", () => {
    assert.throws(
      () => loadSpec("a: 1\n", "my.yaml"),
      (error) => error instanceof Fault && error.kind === "invalid" && error.message.includes("my.yaml:1:1  a: "),
    );
  });
});

describe("a valid spec", () => {
  test("has every default filled in", () => {
    const spec = loadSpec(SAMPLE_SPEC, "holdfast.yaml");
    const [home] = spec.fileservers;
    assert.deepEqual(spec.cluster.ssh, { config: "ssh_config" });
    assert.equal(spec.cluster.detection, "balanced");
    assert.deepEqual(home?.addresses, [
      { family: 4, address: "10.77.0.50", prefixLength: 24 },
      { family: 6, address: "fd77::50", prefixLength: 64 },
    ]);
    assert.deepEqual(home.volumes[0]?.device, { kind: "lv", vg: "home", lv: "data" });
    assert.equal(home.volumes[0]?.mountPath, "/export/data");
    assert.deepEqual(home.nfs, {
      threads: 16,
      leaseS: 15,
      graceS: 20,
      courtesyS: 3600,
      allowV40: false,
      ports: { mountd: 20_048, statd: 662, lockd: 4001 },
    });
    assert.deepEqual(home.protocols, ["v3", "v4"]);
    assert.deepEqual(home.exports[0]?.clients[0]?.options, [
      "rw",
      "sync",
      "root_squash",
      "no_subtree_check",
      "sec=sys",
    ]);
    assert.deepEqual(warningsOf(SAMPLE_SPEC), []);
  });

  test("with a byte order mark, Windows line ends or JSON means the same", () => {
    const spec = loadSpec(SAMPLE_SPEC, "a");
    assert.deepEqual(loadSpec(`\ufeff${SAMPLE_SPEC}`, "a"), spec);
    assert.deepEqual(loadSpec(SAMPLE_SPEC.replaceAll("\n", "\r\n"), "a"), spec);
  });

  test("a longer lease brings a grace period at least as long", () => {
    const spec = loadSpec(sampleWith(["    interface: eth1\n", "    interface: eth1\n    nfs: { lease: 1m }\n"]), "a");
    assert.equal(spec.fileservers[0]?.nfs.graceS, 60);
  });

  const WARNINGS: Readonly<Record<string, Case>> = {
    everybody: change("match: 10.77.0.0/24", 'match: "*"', "19 client-anyone"),
    "a client by name": change("match: 10.77.0.0/24", "match: c1.lab.example", "19 client-by-name"),
    "root on the client": change("[rw]", "[rw, no_root_squash]", "19 no-root-squash"),
    "insecure ports": change("[rw]", "[rw, insecure]", "19 insecure-port"),
    "clients without a way back": change("match: 10.77.0.0/24", "match: 192.0.2.0/24", "19 client-unreachable"),
    "nested exports": change(
      "options: [rw] }]",
      "options: [rw] }]\n      - { path: /export/data/sub, volume: data, clients: [{ match: 10.77.0.21 }] }",
      "20 export-nested",
    ),
    "different grace periods": media(
      "    interface: eth1\n",
      "    interface: eth1\n    nfs: { grace: 30s }\n",
      "25 grace-differs",
    ),
    "a short lease": change(
      "    interface: eth1\n",
      "    interface: eth1\n    nfs: { lease: 10s }\n",
      "14 short-lease",
    ),
    "NFSv4.0": change("    interface: eth1\n", "    interface: eth1\n    nfs: { allowV40: true }\n", "14 v4.0-grace"),
    "one node": change("    - { name: n2, addresses: [10.77.0.12, 10.78.0.12] }\n", "", "6 one-node"),
    "a witness without Pacemaker": change("engine: standalone", "engine: standalone\n  witness: st", "5 no-effect"),
    "failback without Pacemaker": change("failback: manual", "failback: { afterHealthyFor: 10m }", "20 no-effect"),
    "a MAC that ipvlan does not use": media(
      "    interface: eth1\n",
      "    interface: eth2\n    link: ipvlan\n    mac: 02:00:00:00:00:01\n",
      "26 no-effect",
    ),
  };
  for (const [name, { change: changes, wanted }] of Object.entries(WARNINGS)) {
    test(`is warned about: ${name}`, () => {
      const warnings = warningsOf(sampleWith(...changes));
      assert.deepEqual(
        warnings.map((warning) => `${warning.line} ${warning.code}`),
        wanted,
      );
    });
  }

  test("a gateway makes distant clients reachable", () => {
    const text = sampleWith(
      ["    interface: eth1\n", "    interface: eth1\n    gateway: 10.77.0.1\n"],
      ["match: 10.77.0.0/24", "match: 192.0.2.0/24"],
    );
    assert.deepEqual(warningsOf(text), []);
  });

  test("every code is provoked by a test and explained in docs/spec.md", () => {
    const page = readFileSync(new URL("../../docs/spec.md", import.meta.url), "utf8");
    const tests = ["load", "cluster", "director", "source"]
      .map((name) => readFileSync(new URL(`${name}.test.ts`, import.meta.url), "utf8"))
      .join("");
    for (const code of [...Object.keys(PROBLEM_CODES), ...Object.keys(WARNING_CODES)]) {
      assert.match(tests, new RegExp(` ${code}\\b|"${code}"`), `${code} is not provoked`);
      assert.ok(page.includes(`\`${code}\``), `${code} is not in docs/spec.md`);
    }
  });
});
