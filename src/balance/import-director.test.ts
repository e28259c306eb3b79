import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { matchesGolden } from "../../tests/golden.ts";
import { SAMPLE_SPEC } from "../../tests/sample-spec.ts";
import { loadSpec, parseSpec } from "../model/load.ts";
import { importDirector, type ImportGround } from "./import-director.ts";
import { readOldConfiguration } from "./old-configuration.ts";

const OLD = `# Layer 4, written by hand
director D_NFS
    balance roundrobin
    mode gateway
    check interval 10 timeout 3
    option tcpcheck
    server nfs1 10.77.0.71:2049 weight 100 check
    server nfs2 10.77.0.72 weight 1
    server old 10.77.0.73 sorry

flow f_nfs director D_NFS
    match iface eth1 dst 10.77.0.60 dst-port 2049
`;

const MACHINES = [
  { name: "d1", address: "10.77.0.31" },
  { name: "d2", address: "10.77.0.32" },
];
const GROUND: ImportGround = { machines: MACHINES, fileservers: [] };

function imported(text: string, ground = GROUND) {
  const result = importDirector(readOldConfiguration(text), ground);
  return { ...result, codes: result.findings.map(({ code }) => code) };
}

describe("a configuration as sites have it", () => {
  const result = imported(OLD);

  test("becomes directors: of a spec, with what has to be known", () => {
    const lines = result.findings.map(
      ({ line, weight, code, what, remedy }) => `${line} ${weight} ${code}: ${what}; ${remedy}`,
    );
    matchesGolden("import/director.txt", `${result.text}\n${lines.join("\n")}`);
  });

  test("which is a valid spec", () => {
    const parsed = parseSpec(`${SAMPLE_SPEC}${result.text}`);
    assert.ok(parsed.ok, JSON.stringify(parsed));
    const [service] = parsed.spec.directors[0]?.services ?? [];
    assert.equal(service?.name, "d-nfs");
    assert.deepEqual(
      service.servers.map(({ name, weight }) => [name, weight]),
      [
        ["nfs1", 100],
        ["nfs2", 1],
      ],
    );
    assert.equal(service.lastResort?.name, "old");
    assert.equal(service.check.intervalMs, 10_000);
  });

  test("with a fileserver's address it is that fileserver's service", () => {
    const { fileservers } = loadSpec(SAMPLE_SPEC, "spec");
    const found = imported(OLD.replace("dst 10.77.0.60", "dst 10.77.0.50"), { machines: MACHINES, fileservers });
    assert.match(found.text, /services:\n {6}- fileserver: home\n$/);
    assert.ok(found.codes.includes("fileserver-found"));
  });
});

describe("what is missing or different is told", () => {
  const cases: Readonly<Record<string, readonly [text: string, code: string]>> = {
    "no machines": [OLD, "machines-missing"],
    "address translation": [OLD.replace("mode gateway", "mode nat"), "mode-not-there"],
    "no prefix": [OLD, "prefix-assumed"],
    "no interface": [OLD.replace("iface eth1 ", ""), "interface-missing"],
    "a flow to nowhere": [`${OLD}flow x director nowhere match dst 10.77.0.61\n`, "director-unknown"],
    "no servers": [OLD.replaceAll(/^ *server .*\n/gm, ""), "no-servers"],
    "an address that is none": [OLD.replace("dst 10.77.0.60", "dst nfs.example.com"), "address-not-understood"],
    "weight 0": [OLD.replace("weight 100", "weight 0"), "weight-zero"],
    "another port": [OLD.replace(":2049", ":8049"), "port-dropped"],
    "two of last resort": [OLD.replace("sorry", "sorry\n    server older 10.77.0.74 sorry"), "one-last-resort"],
    "an unknown option": [OLD.replace("tcpcheck", "magic"), "not-understood"],
    "an unknown line": [`${OLD}    colour blue\nsomething\n`, "not-understood"],
    persistence: [OLD.replace("tcpcheck", "persistence timeout 300"), "persistence-dropped"],
    "a director without a flow": [OLD.slice(0, OLD.indexOf("flow")), "flow-missing"],
    nothing: ["", "no-service"],
  };
  for (const [name, [text, code]] of Object.entries(cases)) {
    test(name, () => {
      const { codes } = imported(text, code === "machines-missing" ? { machines: [], fileservers: [] } : GROUND);
      assert.ok(codes.includes(code), codes.join(", "));
    });
  }

  test("what is not filled in is no valid spec", () => {
    const { text } = imported(OLD, { machines: [], fileservers: [] });
    assert.ok(!parseSpec(`${SAMPLE_SPEC}${text}`).ok);
  });
});

describe("forms of the file", () => {
  test("an address beside the director's name stands for a flow", () => {
    const text = OLD.slice(0, OLD.indexOf("flow")).replace("director D_NFS", "director D_NFS 10.77.0.60:2049 TCP");
    assert.match(imported(text).text, /address: \[10\.77\.0\.60\/24\]/);
  });

  test("a flow on one line, braces, semicolons and IPv6", () => {
    const text = `director x {
  check interval 5s;
  server a [fd77::71]:2049 check;
}
flow y director x match iface eth1 dst fd77::60/64
`;
    const { text: yaml, codes } = imported(text);
    assert.match(yaml, /flow: \{ interface: eth1, address: \["fd77::60\/64"\] \}/);
    assert.match(yaml, /interval: 5s, timeout: 2500ms, tries: 1/);
    assert.ok(!codes.includes("prefix-assumed"));
    assert.ok(parseSpec(`${SAMPLE_SPEC}${yaml}`).ok);
  });

  test("whatever the text is, it is read to its end", () => {
    const words = fc.constantFrom(
      "director",
      "flow",
      "server",
      "check",
      "weight",
      "match",
      "dst",
      "{",
      "#",
      "a",
      "10.0.0.1",
      "0",
      "\n",
      "option",
      "balance",
    );
    fc.assert(
      fc.property(fc.array(words), (list) => {
        const { text, findings } = imported(list.join(" "));
        assert.ok(text.startsWith("directors:\n"));
        assert.ok(findings.every(({ what, remedy }) => what !== "" && remedy !== ""));
      }),
    );
  });
});
