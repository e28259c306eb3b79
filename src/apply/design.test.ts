import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { sampleWith } from "../../tests/sample-spec.ts";
import { loadSpec } from "../model/load.ts";
import { corosyncConf } from "../pacemaker/corosync-conf.ts";
import { emptyCib } from "../pacemaker/cib.ts";
import { formatXml } from "../pacemaker/xml.ts";
import { COROSYNC_CONF_PATH, makeDesign, packagesFor, questionsFor, timeScaleOf, wantedFor } from "./design.ts";
import { readLook, type Look } from "./look.ts";
import { packagedTexts } from "./packaging.ts";

const PACEMAKER = ["engine: standalone", "engine: pacemaker"] as const;
const spec = loadSpec(sampleWith(PACEMAKER), "sample");
const packaged = await packagedTexts();
const choice = { version: "0.1.0", packaged, consents: [] };
const base64 = (text: string): string => Buffer.from(text).toString("base64");

function look(...lines: readonly string[]): Look {
  return readLook("n1", [...lines, "end\tend", ""].join("\n"), [0, 0]);
}

const running = "unit\tId=pacemaker.service\nunit\tActiveState=active";

describe("what a spec comes to on its nodes", () => {
  test("the texts of packaging/ are complete, and the shell takes those that are scripts", () => {
    assert.match(packaged["resource-agent"], /^#!\/bin\/sh\n/);
    assert.match(packaged["fence-agent"], /^#!\/bin\/sh\n/);
    assert.match(packaged["agent-unit"], /\[Service\]/);
  });

  test("standalone needs the agent's unit only; Pacemaker its agents and corosync.conf too", () => {
    const alone = loadSpec(sampleWith(), "sample");
    assert.deepEqual(
      makeDesign(alone, new Map(), choice).files.map(({ name }) => name),
      ["agent-unit"],
    );
    assert.equal(makeDesign(alone, new Map(), choice).pacemaker, undefined);
    const design = makeDesign(spec, new Map(), { ...choice, timeScale: 10 });
    assert.deepEqual(
      design.files.map(({ name }) => name),
      ["agent-unit", "agent-env", "resource-agent", "fence-agent", "pacemaker-order", "corosync-conf"],
    );
    assert.match(design.files.at(-1)?.text ?? "", /token: 3000/);
    assert.ok(packagesFor(spec).includes("pacemaker"));
    assert.ok(!packagesFor(alone).includes("pacemaker"));
    assert.ok(questionsFor(spec).files.includes(COROSYNC_CONF_PATH));
  });

  test("a witness and other fence agents bring their packages", () => {
    const more = loadSpec(
      sampleWith(PACEMAKER, [
        "  ssh: { config: ssh_config }\n",
        "  witness: st\n  fencing: [{ agent: virsh, options: { ip: a } }]\n",
      ]),
      "more",
    );
    const packages = packagesFor(more);
    assert.ok(packages.includes("corosync-qdevice") && packages.includes("fence-agents"));
  });

  test("the time scale is the one asked for, else the nodes' largest", () => {
    const looks = new Map([
      ["n1", look("time-scale\t10")],
      ["n2", look()],
    ]);
    assert.equal(timeScaleOf(looks, undefined), 10);
    assert.equal(timeScaleOf(looks, 2), 2);
    assert.equal(timeScaleOf(new Map(), undefined), 1);
  });

  test("node ids of the cluster's own corosync.conf stay, those of another do not count", () => {
    const conf = corosyncConf(spec.cluster, { timeScale: 1, nodeIds: new Map([["n1", 7]]) });
    const at = (text: string) => new Map([["n1", look(`file ${COROSYNC_CONF_PATH}\t${base64(text)}`)]]);
    assert.match(makeDesign(spec, at(conf), choice).files.at(-1)?.text ?? "", /name: n1\n\s+nodeid: 7/);
    const foreign = makeDesign(spec, at(conf.replace("cluster_name: lab", "cluster_name: old")), choice);
    assert.match(foreign.files.at(-1)?.text ?? "", /name: n1\n\s+nodeid: 1/);
    assert.deepEqual([...(foreign.pacemaker?.foundClusters ?? [])], [["n1", "old"]]);
    const stock = "totem {\n cluster_name: debian\n}\nnodelist {\n node {\n ring0_addr: 127.0.0.1\n }\n}\n";
    const fresh = makeDesign(spec, at(stock), choice).pacemaker;
    assert.deepEqual([...(fresh?.foundClusters ?? [])], []);
    assert.deepEqual([...(fresh?.stockNodes ?? [])], ["n1"]);
  });

  test("Pacemaker's configuration is compared where it runs, and unknown where it does not say", () => {
    const silent = new Map([["n1", look(running)]]);
    assert.deepEqual(makeDesign(spec, silent, choice).pacemaker?.cib.known, false);
    const empty = new Map([["n1", look(running, `cib\t${base64(formatXml(emptyCib().root))}`)]]);
    const found = makeDesign(spec, empty, choice).pacemaker?.cib;
    assert.ok(found?.known === true && found.value.ok && found.value.differences.length > 5);
    const rubbish = new Map([["n1", look(running, `cib\t${base64("<html/>")}`)]]);
    assert.equal(makeDesign(spec, rubbish, choice).pacemaker?.cib.known, false);
    assert.equal(wantedFor(spec, empty, undefined).primitives.length, 3);
  });
});
