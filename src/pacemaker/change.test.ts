import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { matchesGolden } from "../../tests/golden.ts";
import { sampleWith } from "../../tests/sample-spec.ts";
import { loadSpec } from "../model/load.ts";
import type { Spec } from "../model/spec.ts";
import { changeCib, isOurId, isOurs, type CibChange } from "./change.ts";
import {
  configurationOf,
  emptyCib,
  HOLDFAST_SET,
  idsOf,
  isFalse,
  nodeAttributes,
  pairsOf,
  parseCib,
  primitivesOf,
  propertyOf,
  sectionOf,
} from "./cib.ts";
import { devicesWithSecrets, healthyAttribute, secretsOf, wantedCib } from "./wanted.ts";
import { element, elementsOf, formatXml, type XmlElement } from "./xml.ts";

const PACEMAKER = ["engine: standalone", "engine: pacemaker"] as const;
const RICH = [
  [
    "  ssh: { config: ssh_config }\n",
    `  fencing:
    - { agent: scsi }
    - { agent: ipmilan, options: { lanplus: "1" }, nodes: { n1: { ip: 10.0.0.1 }, n2: { ip: 10.0.0.2 } }, secrets: /etc/holdfast/ipmi.secret }
`,
  ],
  ["{ prefer: n1, failback: manual }", "{ prefer: n1, failback: { afterHealthyFor: 10m }, apart: [media] }"],
] as const;

const load = (...changes: readonly (readonly [string, string])[]): Spec =>
  loadSpec(sampleWith(PACEMAKER, ...changes), "sample");
const plain = load();
const rich = load(...RICH);
const secretNames = new Map([["/etc/holdfast/ipmi.secret", ["username", "n1.password", "n2.password"]]]);
const wanted = (spec: Spec, timeScale = 1) => wantedCib(spec, { timeScale, secretNames });

function carriedOut(change: CibChange): XmlElement {
  assert.ok(change.ok, JSON.stringify(change));
  return change.root;
}

const FOREIGN = `<cib admin_epoch="0" epoch="9" num_updates="3" validate-with="pacemaker-3.9">
  <configuration>
    <crm_config>
      <cluster_property_set id="cib-bootstrap-options">
        <nvpair id="cib-bootstrap-options-have-watchdog" name="have-watchdog" value="false"/>
        <nvpair id="cib-bootstrap-options-dc-version" name="dc-version" value="3.0.0"/>
      </cluster_property_set>
    </crm_config>
    <nodes><node id="1" uname="n1"><instance_attributes id="nodes-1"><nvpair id="nodes-1-standby" name="standby" value="on"/></instance_attributes></node></nodes>
    <resources>
      <!-- the web server of the house -->
      <group id="web"><primitive id="web-ip" class="ocf" provider="heartbeat" type="IPaddr2"><instance_attributes id="web-ip-a"><nvpair id="web-ip-a-ip" name="ip" value="10.77.0.90"/></instance_attributes></primitive></group>
    </resources>
    <constraints><rsc_location id="web-on-n1" rsc="web" node="n1" score="50"/></constraints>
    <alerts><alert id="mail" path="/usr/local/bin/alert"/></alerts>
  </configuration>
  <status/>
</cib>`;

describe("the cluster's configuration from the spec", () => {
  test("of a new cluster", () => {
    const change = changeCib(emptyCib().root, wanted(plain));
    matchesGolden("pacemaker/cib-plain.xml", formatXml(carriedOut(change)));
    matchesGolden("pacemaker/cib-plain.txt", change.ok ? change.differences.join("\n") : "");
  });

  test("with everything that a spec can ask for, on emulated machines", () => {
    const change = changeCib(emptyCib().root, wanted(rich, 10));
    matchesGolden("pacemaker/cib-rich.xml", formatXml(carriedOut(change)));
    matchesGolden("pacemaker/cib-rich.txt", change.ok ? change.differences.join("\n") : "");
  });

  test("no secret stands in it, only its name", () => {
    const text = formatXml(carriedOut(changeCib(emptyCib().root, wanted(rich))));
    assert.match(text, /name="password" value="lrm:\/\/"/);
    const way = rich.cluster.fencing[1];
    assert.ok(way !== undefined);
    assert.deepEqual(secretsOf(way, ["n1"], { timeScale: 1, secretNames }), ["username", "password"]);
    assert.deepEqual(
      devicesWithSecrets(rich.cluster).map((each) => [each.id, each.nodes.join()]),
      [
        ["fence-ipmilan-n1", "n1"],
        ["fence-ipmilan-n2", "n2"],
      ],
    );
  });
});

describe("the change of a configuration", () => {
  test("leaves nothing to change when it is carried out again", () => {
    for (const spec of [plain, rich]) {
      const once = carriedOut(changeCib(parseCib(FOREIGN).root, wanted(spec)));
      const again = changeCib(parseCib(formatXml(once)).root, wanted(spec));
      assert.ok(again.ok);
      assert.deepEqual(again.differences, []);
      assert.equal(formatXml(again.root), formatXml(once));
    }
  });

  test("leaves what is not ours as it is, also when everything of ours goes", () => {
    const before = parseCib(FOREIGN).root;

    const there = carriedOut(changeCib(before, wanted(rich)));
    const back = carriedOut(changeCib(there, { properties: [], primitives: [], constraints: [], levels: [] }));
    const strip = (root: XmlElement): string =>
      formatXml(root).replaceAll(
        /\s*<cluster_property_set id="holdfast-options">[\s\S]*?<\/cluster_property_set>/g,
        "",
      );
    assert.equal(strip(back).replace(/\s*<fencing-topology\/>/, ""), formatXml(before));
  });

  test("follows the spec from one to the other, and says it in words", () => {
    const one = carriedOut(changeCib(parseCib(FOREIGN).root, wanted(rich)));
    const change = changeCib(one, wanted(plain, 2));
    assert.ok(change.ok);
    matchesGolden("pacemaker/cib-change.txt", change.differences.join("\n"));
    const direct = changeCib(parseCib(FOREIGN).root, wanted(plain, 2));
    assert.deepEqual(
      primitivesOf(change.root).map((each) => each.id),
      primitivesOf(carriedOut(direct)).map((each) => each.id),
    );
  });

  test("keeps what an operator put on a resource of ours", () => {
    const there = formatXml(carriedOut(changeCib(emptyCib().root, wanted(plain)))).replace(
      '<meta_attributes id="holdfast-home-meta">',
      '<meta_attributes id="holdfast-home-meta"><nvpair id="x" name="target-role" value="Stopped"/>',
    );
    const change = changeCib(parseCib(there).root, wanted(plain, 3));
    const home = primitivesOf(carriedOut(change)).find((each) => each.id === "home");
    assert.ok(home !== undefined);
    assert.equal(pairsOf(home.element, "meta_attributes").get("target-role"), "Stopped");
    assert.ok(change.ok && change.differences.includes("fileserver home, start: at most 360s"));
  });

  test("a ban that an operator left goes with the fileserver that it names, and no other does", () => {
    const there = formatXml(carriedOut(changeCib(emptyCib().root, wanted(plain)))).replace(
      "</constraints>",
      '<rsc_location id="cli-ban-media-on-n1" rsc="media" node="n1" score="-INFINITY"/><rsc_location id="cli-ban-home-on-n2" rsc="home" node="n2" score="-INFINITY"/></constraints>',
    );
    const { primitives, ...rest } = wanted(plain);
    const change = changeCib(parseCib(there).root, {
      ...rest,
      primitives: primitives.filter(({ id }) => id !== "media"),
    });
    assert.ok(change.ok);
    assert.deepEqual(change.differences, [
      "gone: fileserver media",
      "gone: media prefers n1 (cli-ban-media-on-n1, -INFINITY)",
    ]);
  });
});

describe("a configuration that must not be written", () => {
  const withPair = (pair: string): XmlElement =>
    parseCib(FOREIGN.replace("</cluster_property_set>", `${pair}</cluster_property_set>`)).root;
  const codes = (root: XmlElement): readonly string[] => {
    const change = changeCib(root, wanted(plain));
    return change.ok ? [] : change.refusals.map((refusal) => refusal.code);
  };

  test("fencing switched off by somebody is refused, in whatever word and set", () => {
    for (const word of ["false", "no", "off", "0", "False"]) {
      assert.deepEqual(codes(withPair(`<nvpair id="x" name="stonith-enabled" value="${word}"/>`)), ["fencing-off"]);
    }
    const own = formatXml(carriedOut(changeCib(emptyCib().root, wanted(plain)))).replace(
      'name="stonith-enabled" value="true"',
      'name="stonith-enabled" value="false"',
    );
    assert.deepEqual(codes(parseCib(own).root), ["fencing-off"]);
    assert.deepEqual(codes(withPair('<nvpair id="x" name="startup-fencing" value="no"/>')), ["fencing-off"]);
    assert.deepEqual(codes(withPair('<nvpair id="x" name="stonith-enabled" value="true"/>')), []);
  });

  test("an option that would overrule ours is refused", () => {
    assert.deepEqual(codes(withPair('<nvpair id="x" name="no-quorum-policy" value="ignore"/>')), [
      "property-overridden",
    ]);
  });

  test("an id that is somebody else's is refused", () => {
    const taken = FOREIGN.replace('id="web"', 'id="home"').replace('rsc="web"', 'rsc="home"');
    assert.deepEqual(codes(parseCib(taken).root), ["id-taken"]);
    const other = FOREIGN.replace('id="web-ip" class', 'id="media" class');
    assert.deepEqual(codes(parseCib(other).root), ["id-taken"]);
  });
});

describe("whatever somebody else configured", () => {
  const id = fc.stringMatching(/^[a-g][a-g0-9]{3,8}$/);
  const resource = fc
    .tuple(id, fc.constantFrom("IPaddr2", "Filesystem", "Dummy"))
    .map(([name, type]) => element("primitive", { id: name, class: "ocf", provider: "heartbeat", type }));
  const configurations = fc
    .uniqueArray(resource, { maxLength: 6, selector: (each) => each.attributes["id"] })
    .map((resources) => {
      const { root } = emptyCib();
      const constraints = resources.map((each) =>
        element("rsc_location", {
          id: `at-${each.attributes["id"]}`,
          rsc: each.attributes["id"] ?? "",
          node: "n1",
          score: "5",
        }),
      );
      const text = formatXml(root)
        .replace("<resources/>", formatXml(element("resources", {}, resources)))
        .replace("<constraints/>", formatXml(element("constraints", {}, constraints)));
      return parseCib(text).root;
    });

  test("every foreign object is there afterwards, unchanged and in its order", () => {
    fc.assert(
      fc.property(configurations, fc.constantFrom(plain, rich), (before, spec) => {
        const after = carriedOut(changeCib(before, wanted(spec)));
        for (const section of ["resources", "constraints"]) {
          const foreign = (root: XmlElement) =>
            elementsOf(sectionOf(root, section)).filter(
              (each) =>
                !isOurId(each.attributes["id"]) &&
                !primitivesOf(root).some((one) => one.element === each && isOurs(one)),
            );
          const kept = foreign(after).filter((each) => each.attributes["provider"] !== "holdfast");
          assert.deepEqual(kept, foreign(before));
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe("reading a configuration", () => {
  const cib = parseCib(FOREIGN);

  test("finds ids, options, node attributes", () => {
    assert.deepEqual(cib.version, { adminEpoch: 0, epoch: 9 });
    assert.equal(idsOf(cib.root).get("web")?.tag, "group");
    assert.deepEqual(propertyOf(cib.root, "have-watchdog"), { value: "false", set: "cib-bootstrap-options" });
    assert.equal(propertyOf(cib.root, "nothing"), undefined);
    assert.equal(nodeAttributes(cib.root).get("n1")?.get("standby"), "on");
    assert.equal(configurationOf(cib.root).tag, "configuration");
    assert.equal(isFalse("OFF"), true);
    assert.equal(healthyAttribute("home"), "holdfast-healthy-home");
    assert.equal(HOLDFAST_SET, "holdfast-options");
  });

  test("what is no configuration is refused", () => {
    assert.throws(() => parseCib("<cib/>"), { code: "cib-invalid" });
    assert.throws(() => parseCib("<html><configuration/></html>"), { code: "cib-invalid" });
  });
});
