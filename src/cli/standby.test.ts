import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { expectCommands, recorded } from "../../tests/expected-commands.ts";
import { sampleWith } from "../../tests/sample-spec.ts";
import { loadSpec } from "../model/load.ts";
import type { Clock } from "../system/clock.ts";
import type { AgentClient } from "../wire/client.ts";
import type { ReachedNode } from "./reach.ts";
import { drain, refuseWithoutCluster, type DrainParts } from "./standby.ts";
import { endStandby } from "./unstandby.ts";

const spec = loadSpec(sampleWith(["engine: standalone", "engine: pacemaker"]), "sample");
const MON = "crm_mon --one-shot --inactive --fence-history=3 --output-as=xml";
const STATE = recorded("pacemaker/crm-mon-3.0.xml").replace(
  '<current_dc present="false"/>',
  '<current_dc present="true" name="n1" with_quorum="true"/>',
);

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

/** The other node serves home from the second look on. */
function partsWith(door: DrainParts["commandsOf"], calls: string[]): DrainParts {
  let looks = 0;
  const agentOf = (node: string): ReachedNode => {
    const agent: Pick<AgentClient, "prepare" | "handover" | "status"> = {
      prepare: (fileserver) => {
        calls.push(`${node} prepare ${fileserver}`);
        return Promise.resolve({ systemId: node });
      },
      handover: (fileserver, { successorSystemId }) => {
        calls.push(`${node} handover ${fileserver} ${successorSystemId}`);
        return Promise.resolve();
      },
      status: () => {
        looks += 1;
        const state = looks > 1 ? ("serving" as const) : ("taking-over" as const);
        const home = { name: "home", state, because: [], addresses: [], connections: 0, nfsdThreads: 0 };
        return Promise.resolve({ node, cluster: "lab", version: "", specHash: "", wallMs: 0, fileservers: [home] });
      },
    };
    return { name: node, agent: agent as AgentClient, close: () => Promise.resolve() };
  };
  return {
    spec,
    node: "n1",
    clock: quickClock(),
    reach: (node) => Promise.resolve(agentOf(node)),
    commandsOf: door,
    progress: () => undefined,
  };
}

describe("standby", () => {
  test("prepares the other node, announces the move to both, tells the cluster and waits until it is done", async () => {
    const door = expectCommands(
      { run: MON, stdout: STATE },
      { run: "crm_attribute --node n1 --name standby --update on" },
    );
    const calls: string[] = [];
    const report = await drain(partsWith(() => door, calls));
    door.assertAllRan();
    assert.deepEqual(calls, ["n2 prepare home", "n1 handover home n2", "n2 handover home n2"]);
    assert.deepEqual(report.moved, [{ fileserver: "home", to: "n2" }]);
  });

  test("is refused where no other node can serve; the cluster is told nothing", async () => {
    const alone = STATE.replace('<node name="n2" id="2" online="true"', '<node name="n2" id="2" online="false"');
    const door = expectCommands({ run: MON, stdout: alone });
    const calls: string[] = [];
    await assert.rejects(drain(partsWith(() => door, calls)), { kind: "refused", code: "target-not-ready" });
    door.assertAllRan();
    assert.deepEqual(calls, []);
  });

  test("is refused where no node with a quorum answers", async () => {
    const silent = { run: () => Promise.resolve({ status: 102, stdout: "", stderr: "no" }) };
    await assert.rejects(drain(partsWith(() => silent, [])), { kind: "refused", code: "cluster-unknown" });
  });

  test("is nothing that the engine standalone has, nor a node that the spec does not have", () => {
    const standalone = loadSpec(sampleWith(), "sample");
    assert.throws(() => refuseWithoutCluster(standalone, "n1"), { kind: "invalid", code: "engine-standalone" });
    assert.throws(() => refuseWithoutCluster(spec, "n9"), { code: "unknown-node" });
    refuseWithoutCluster(spec, "n1");
  });
});

describe("unstandby", () => {
  test("ends it where it is, and changes nothing where it is not", async () => {
    const off = expectCommands(
      { run: MON, stdout: recorded("pacemaker/crm-mon-3.0-standby.xml") },
      { run: "crm_attribute --node n2 --name standby --delete" },
    );
    assert.equal(await endStandby(spec, "n2", () => off), true);
    off.assertAllRan();
    const on = expectCommands({ run: MON, stdout: STATE });
    assert.equal(await endStandby(spec, "n2", () => on), false);
    const silent = { run: () => Promise.resolve({ status: 102, stdout: "", stderr: "no" }) };
    await assert.rejects(
      endStandby(spec, "n2", () => silent),
      { code: "cluster-unknown" },
    );
  });
});
