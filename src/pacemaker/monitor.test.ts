import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { recorded } from "../../tests/expected-commands.ts";
import { parseClusterState, placeOf } from "./monitor.ts";

const read = (name: string) => parseClusterState(recorded(`pacemaker/${name}.xml`));

describe("crm_mon", () => {
  for (const version of ["2.1", "3.0"]) {
    test(`of Pacemaker ${version}: who is there, what runs where`, () => {
      const state = read(`crm-mon-${version}`);
      assert.deepEqual(
        state.nodes.map((node) => [node.name, node.online, node.standby, node.unclean, node.running]),
        [
          ["n1", true, false, false, 2],
          ["n2", true, false, false, 1],
        ],
      );
      assert.deepEqual(
        state.resources.map((each) => [each.id, each.agent, each.role, each.nodes]),
        [
          ["home", "ocf:holdfast:fileserver", "Started", ["n1"]],
          ["media", "ocf:holdfast:fileserver", "Started", ["n2"]],
          ["fence-scsi", "stonith:fence_holdfast", "Started", ["n1"]],
        ],
      );
      assert.equal(state.fencingEnabled, true);
      assert.equal(state.dc, undefined);
      assert.equal(placeOf(state, "media"), "n2");
      assert.equal(placeOf(state, "nothing"), undefined);
    });
  }

  test("a failed action says what, where and why", () => {
    assert.deepEqual(read("crm-mon-2.1-failed").failures, [
      {
        resource: "home",
        task: "monitor",
        node: "n1",
        code: 1,
        reason: "Simulated action result",
        when: "2026-11-21 14:44:48Z",
      },
    ]);
  });

  test("a lost node and a node in standby are seen", () => {
    assert.deepEqual(
      read("crm-mon-3.0-lost").nodes.map((node) => node.online),
      [false, true],
    );
    assert.equal(placeOf(read("crm-mon-3.0-lost"), "home"), undefined);
    assert.deepEqual(
      read("crm-mon-3.0-standby").nodes.map((node) => node.standby),
      [false, true],
    );
  });

  test("DC, quorum and fencings are read, as a running cluster writes them", () => {
    const state = parseClusterState(`<pacemaker-result api-version="2.38"><summary>
      <current_dc present="true" version="3.0.0" name="n2" id="2" with_quorum="true" mixed_version="false"/>
      <cluster_options stonith-enabled="false" maintenance-mode="true"/></summary>
      <nodes/><resources><group id="g"><resource id="a" active="true" role="Started" managed="true" pending="Starting"><node name="n1"/><node name="n2"/></resource></group></resources>
      <failures><failure id="b" node="n1" exitstatus="error" exitreason="" exitcode="1" call="1" status="Error"/></failures>
      <fence_history status="0">
        <fence_event action="reboot" target="n1" client="pacemaker-controld.7" origin="n2" status="pending"/>
        <fence_event action="reboot" target="n1" client="x" origin="n2" status="failed" exit-reason="not registered" delegate="n2" completed="2026-11-21 12:00:00Z"/>
        <fence_event action="off" target="n1" client="x" origin="n2" status="success" delegate="n2" completed="2026-11-21 11:00:00Z"/>
      </fence_history></pacemaker-result>`);
    assert.equal(state.dc, "n2");
    assert.equal(state.quorum, true);
    assert.equal(state.fencingEnabled, false);
    assert.equal(state.maintenance, true);
    assert.deepEqual(
      state.fencings.map((each) => [each.action, each.target, each.status, each.by, each.reason]),
      [
        ["reboot", "n1", "pending", undefined, undefined],
        ["reboot", "n1", "failed", "n2", "not registered"],
        ["off", "n1", "success", "n2", undefined],
      ],
    );
    assert.equal(placeOf(state, "a"), undefined, "two places are none");
    assert.equal(state.resources[0]?.pending, "Starting");
    assert.equal(state.failures[0]?.resource, "b");
  });
});
