import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { expectCommands, recorded } from "../../tests/expected-commands.ts";
import { commandLine } from "../system/commands.ts";
import {
  cleanUp,
  clearMoves,
  clearTargetRole,
  deleteAttribute,
  fenceNode,
  moveResource,
  parseQuorum,
  readCib,
  readClusterState,
  restartResource,
  setTargetRole,
  standby,
  updateAttribute,
} from "./commands.ts";

describe("Pacemaker's tools", () => {
  test("are called with these words", () => {
    assert.deepEqual(
      [
        standby("n1", true),
        standby("n1", false),
        moveResource("home", "n2"),
        clearMoves("home"),
        setTargetRole("home", "Stopped"),
        clearTargetRole("home"),
        restartResource("home", 61_000),
        cleanUp("home"),
        fenceNode("n2", 20_000),
        updateAttribute("a", "1"),
        deleteAttribute("a"),
      ].map(commandLine),
      [
        "crm_attribute --node n1 --name standby --update on",
        "crm_attribute --node n1 --name standby --delete",
        "crm_resource --resource home --move --node n2",
        "crm_resource --resource home --clear",
        "crm_resource --resource home --meta --set-parameter target-role --parameter-value Stopped",
        "crm_resource --resource home --meta --delete-parameter target-role",
        "crm_resource --resource home --restart --timeout 61s",
        "crm_resource --resource home --cleanup",
        "stonith_admin --reboot n2 --timeout 20",
        "attrd_updater --name a --update 1",
        "attrd_updater --name a --delete",
      ],
    );
  });

  test("a cluster that does not run is told as such", async () => {
    const mon = "crm_mon --one-shot --inactive --fence-history=3 --output-as=xml";
    const answers = expectCommands({ run: mon, stdout: recorded("pacemaker/crm-mon-3.0.xml") });
    assert.equal((await readClusterState(answers)).nodes.length, 2);
    const silent = expectCommands({ run: mon, status: 102, stderr: "crm_mon: Connection to cluster failed" });
    await assert.rejects(readClusterState(silent), { code: "cluster-not-running" });
    const cib = expectCommands({
      run: "cibadmin --query",
      stdout: '<cib epoch="7" admin_epoch="1"><configuration/></cib>',
    });
    assert.deepEqual((await readCib(cib)).version, { adminEpoch: 1, epoch: 7 });
  });

  test("quorum is read from corosync-quorumtool", () => {
    const text = `Quorum information
------------------
Date:             Sat Nov 21 12:00:00 2026
Quorum provider:  corosync_votequorum
Nodes:            2
Node ID:          1
Ring ID:          1.5
Quorate:          Yes

Votequorum information
----------------------
Expected votes:   2
Highest expected: 2
Total votes:      2
Quorum:           1
Flags:            2Node Quorate WaitForAll

Membership information
----------------------
    Nodeid      Votes Name
         1          1 n1 (local)
         2          1 n2
`;
    assert.deepEqual(parseQuorum(text), { quorate: true, expectedVotes: 2, totalVotes: 2, members: ["n1", "n2"] });
    assert.equal(parseQuorum("Cannot initialize CMAP service"), undefined);
  });
});
