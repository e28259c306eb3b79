import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { expectCommands, recorded, type ExpectedCommand } from "../../tests/expected-commands.ts";
import { sampleWith } from "../../tests/sample-spec.ts";
import { loadSpec } from "../model/load.ts";
import { changeCib } from "../pacemaker/change.ts";
import { emptyCib } from "../pacemaker/cib.ts";
import { wantedCib } from "../pacemaker/wanted.ts";
import { formatXml } from "../pacemaker/xml.ts";
import type { Action } from "../plan/plan.ts";
import { makePlan } from "../plan/make-plan.ts";
import type { Clock } from "../system/clock.ts";
import {
  firstDifferences,
  NOTHING_WANTED,
  patchScript,
  startClusterScript,
  waitUntilServed,
  waitUntilStopped,
  writeCib,
} from "./cluster-deeds.ts";
import { actionRunner, type DeedParts } from "./deeds.ts";
import { makeDesign } from "./design.ts";
import { nodeShell } from "./node-shell.ts";
import { packagedTexts } from "./packaging.ts";

const spec = loadSpec(sampleWith(["engine: standalone", "engine: pacemaker"]), "sample");
const wanted = wantedCib(spec, { timeScale: 1, secretNames: new Map() });

/** Sleeping is what lets time pass. */
function quickClock(): Clock {
  let nowMs = 0;
  return {
    monotonicMs: () => nowMs,
    wallMs: () => nowMs,
    sleep: (durationMs) => {
      nowMs += durationMs;
      return Promise.resolve();
    },
  };
}

const parts = () => ({ clock: quickClock(), timeScale: 1, progress: () => undefined });

const MON = "crm_mon --one-shot --inactive --fence-history=3 --output-as=xml";
const STATE = recorded("pacemaker/crm-mon-3.0.xml").replace(
  '<current_dc present="false"/>',
  '<current_dc present="true" name="n1" with_quorum="true"/>',
);
const mon: ExpectedCommand = { run: MON, stdout: STATE };
const xml = (epoch: number, text = formatXml(emptyCib().root)): string =>
  text.replace('epoch="0" num', `epoch="${epoch}" num`);
const query = (epoch: number, text?: string): ExpectedCommand => ({
  run: "cibadmin --query",
  stdout: xml(epoch, text),
});
const patch = (epoch: number, more: Partial<ExpectedCommand> = {}): ExpectedCommand => ({
  run: { tool: "sh", args: ["-c", patchScript({ adminEpoch: 0, epoch })] },
  ...more,
});

describe("Pacemaker's configuration", () => {
  test("is written as a change of what was read, and as nothing where nothing differs", async () => {
    const door = expectCommands(mon, query(4), patch(4));
    const differences = await writeCib(nodeShell("n1", door), wanted, parts());
    assert.deepEqual(differences, firstDifferences(wanted));
    door.assertAllRan();
    const change = changeCib(emptyCib().root, wanted);
    assert.ok(change.ok);
    const again = expectCommands(mon, query(5, formatXml(change.root)));
    assert.deepEqual(await writeCib(nodeShell("n1", again), wanted, parts()), []);
  });

  test("is read again when somebody else changed it meanwhile", async () => {
    const door = expectCommands(mon, query(4), patch(4, { status: 103, stderr: "older" }), query(5), patch(5));
    assert.ok((await writeCib(nodeShell("n1", door), wanted, parts())).length > 0);
    door.assertAllRan();
  });

  test("is not written where fencing was switched off, nor where Pacemaker refuses it", async () => {
    const off = formatXml(emptyCib().root).replace(
      "<crm_config/>",
      '<crm_config><cluster_property_set id="cib-bootstrap-options"><nvpair id="a" name="stonith-enabled" value="false"/></cluster_property_set></crm_config>',
    );
    const refusing = expectCommands(mon, query(4, off));
    await assert.rejects(writeCib(nodeShell("n1", refusing), wanted, parts()), {
      kind: "refused",
      code: "fencing-off",
    });
    const invalid = expectCommands(mon, query(4), patch(4, { status: 78, stderr: "Update does not conform" }));
    await assert.rejects(writeCib(nodeShell("n1", invalid), wanted, parts()), { code: "cib-not-written" });
  });

  test("is waited for until the cluster has a quorum, and no longer than its bound", async () => {
    const silent = { run: () => Promise.resolve({ status: 102, stdout: "", stderr: "not connected" }) };
    await assert.rejects(writeCib(nodeShell("n1", silent), wanted, parts()), {
      code: "cluster-not-ready",
      message: /within 120 s: .*not connected/,
    });
  });

  test("every script is one that a shell takes", () => {
    for (const text of [patchScript({ adminEpoch: 0, epoch: 1 }), startClusterScript("lab", true)]) {
      assert.equal(spawnSync("sh", ["-n"], { input: text }).status, 0);
    }
    assert.deepEqual(NOTHING_WANTED.primitives, []);
  });
});

describe("fileservers", () => {
  const stopped = STATE.replaceAll('role="Started" active="true"', 'role="Stopped" active="false"');

  test("are waited for until each is on one node", async () => {
    const door = expectCommands({ run: MON, stdout: stopped }, mon);
    const places = await waitUntilServed(nodeShell("n1", door), ["home", "media"], parts());
    assert.deepEqual(
      [...places],
      [
        ["home", "n1"],
        ["media", "n2"],
      ],
    );
    const ends = expectCommands(mon, { run: MON, stdout: stopped });
    await waitUntilStopped(nodeShell("n1", ends), ["home"], parts());
    ends.assertAllRan();
  });

  test("that do not come are told with what the cluster says", async () => {
    const failed = recorded("pacemaker/crm-mon-2.1-failed.xml").replaceAll('active="true"', 'active="false"');
    const door = { run: () => Promise.resolve({ status: 0, stdout: failed, stderr: "" }) };
    await assert.rejects(waitUntilServed(nodeShell("n1", door), ["home"], parts()), (error) => {
      assert.match(String((error as { why?: string }).why), /monitor of home failed on n1: Simulated/);
      return true;
    });
    const stuck = { run: () => Promise.resolve({ status: 0, stdout: STATE, stderr: "" }) };
    await assert.rejects(waitUntilStopped(nodeShell("n1", stuck), ["home"], parts()), {
      code: "fileservers-not-released",
    });
  });
});

describe("the deeds of a plan", () => {
  const deedParts = async (door: DeedParts["shell"]): Promise<DeedParts> => {
    const observed = { nodes: [] };
    const design = makeDesign(spec, new Map(), { version: "0.1.0", packaged: await packagedTexts(), consents: [] });
    return {
      spec,
      specText: "spec",
      plan: makePlan(spec, observed, design).plan,
      design,
      wanted,
      shell: door,
      withAgent: () => Promise.reject(new Error("no agent")),
      program: { kind: "none", why: "" },
      ...parts(),
    };
  };
  const because = "";

  test("write a file of the design with its mode, and share one key with those who lack it", async () => {
    const put: (readonly [string, string, number])[] = [];
    const contents: (string | Uint8Array)[] = [];
    const run = actionRunner(
      await deedParts((node) => ({
        ...nodeShell(node, expectCommands()),
        put: (path, content, mode) => {
          put.push([node, path, mode]);
          contents.push(content);
          return Promise.resolve();
        },
        read: () => Promise.resolve(Buffer.from("key of n1")),
      })),
    );
    await run({ kind: "write-file", node: "n2", file: "fence-agent", because });
    await run({ kind: "share-authkey", node: "n2", from: "n1", to: ["n2"], because });
    assert.deepEqual(put, [
      ["n2", "/usr/sbin/fence_holdfast", 0o755],
      ["n2", "/etc/corosync/authkey", 0o400],
    ]);
    assert.equal(String(contents[1]), "key of n1");
  });

  test("release and take over through the cluster where it knows the fileserver", async () => {
    const stopped = STATE.replaceAll('role="Started" active="true"', 'role="Stopped" active="false"');
    const door = expectCommands(
      { run: "sh -s" },
      mon,
      { run: "crm_resource --resource home --meta --set-parameter target-role --parameter-value Stopped" },
      { run: MON, stdout: stopped },
      mon,
      { run: "crm_resource --resource home --meta --delete-parameter target-role" },
      mon,
    );
    const run = actionRunner(await deedParts((node) => nodeShell(node, door)));
    await run({ kind: "release", fileserver: "home", node: "n1", because });
    await run({ kind: "takeover", fileserver: "home", node: "n1", because });
    door.assertAllRan();
  });

  test("leave no constraint behind after a move, also where it failed", async () => {
    const door = expectCommands({ run: "crm_resource --resource media --move --node n2" }, mon, {
      run: "crm_resource --resource media --clear",
    });
    const run = actionRunner(await deedParts((node) => nodeShell(node, door)));
    await run({ kind: "move", fileserver: "media", node: "n1", to: "n2", because });
    door.assertAllRan();
    const failing = expectCommands(
      { run: "crm_resource --resource media --move --node n2", status: 1, stderr: "no" },
      { run: "crm_resource --resource media --clear" },
    );
    const fail = actionRunner(await deedParts((node) => nodeShell(node, failing)));
    const action: Action = { kind: "move", fileserver: "media", node: "n1", to: "n2", because };
    await assert.rejects(fail(action), /status 1: no/);
  });
});
